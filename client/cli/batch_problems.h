#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "reinstate/v1/batch_service.pb.h"

namespace reinstate {

// What the next commands are about.
struct ProblemContext {
  std::string file;   // the list
  std::string at;     // the point
  std::string batch;  // empty before it was created
};

// The lines with a problem by its reason, those with the most lines first: for each how many and
// which, the first of them with what is wrong, and the next command. Printable, a line of text
// each, with line ends. Pure.
std::string RenderProblems(const std::vector<v1::BatchLine>& lines, const ProblemContext& context);

// What to do about a problem of `line`, as a sentence with a command. Pure.
std::string NextStepFor(const v1::BatchLine& line, const ProblemContext& context);

}  // namespace reinstate

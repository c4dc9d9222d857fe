#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/output.h"
#include "reinstate/v1/batch_service.pb.h"

namespace reinstate {

// What the next commands are about.
struct ProblemContext {
  std::string file = {};                // the list
  std::string at = {};                  // the point, not as a time ago
  std::optional<v1::Batch> batch = {};  // nullopt before it was created

  // With which `batch resolve` reads the list as it was read, and in the same store, quoted for a
  // shell: "--column Kunde".
  std::string list_options = {};

  bool list_resolved = false;  // `batch resolve` has written the list
  bool left_out = false;       // these lines are left out of a batch that begins
};

// What the next commands are about of a batch that was created.
ProblemContext ContextOf(const v1::Batch& batch);

// The lines with a problem by its reason and by what to do next, those with the most lines first:
// for each how many, the numbers of all of them (of many thousands of the first), the first of them
// with what is wrong, how to have all of them with that, and the next command. Printable, a line of
// text each, with line ends. Pure.
std::string RenderProblems(const std::vector<v1::BatchLine>& lines, const ProblemContext& context);

// Writes all of these lines for programs, in the format of `output`, which is not that for people:
// line, input, id, reason, message, and the next step.
absl::Status WriteProblems(const std::vector<v1::BatchLine>& lines, const ProblemContext& context,
                           const Output& output);

// What to do about a problem of `line`, as a sentence with a command. Pure.
std::string NextStepFor(const v1::BatchLine& line, const ProblemContext& context);

// Whether `reinstate batch retry` tries `line` again and may help it, be it once the cause is
// mended: what was agreed to is tried again, so that it fails again if it was refused for that.
// What somebody cancelled by itself is not tried again.
bool RetryMayHelp(const v1::BatchLine& line);

}  // namespace reinstate

#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/console.h"

namespace reinstate {

// What a person must agree to before something is destroyed.
struct Confirmation {
  std::vector<std::string> facts;  // what will happen and where, a line each
  std::string name;                // what is to be typed: "the tenant's id"
  std::string expected;            // what that is
  std::string given;               // of --confirm; empty if it was not given
};

// Shows the facts. OK if `given`, or else what is typed after them, is `expected`. DECLINED if it
// is something else, or if there is no terminal to ask on.
absl::Status Confirm(const Confirmation& confirmation, const Console& console);

}  // namespace reinstate

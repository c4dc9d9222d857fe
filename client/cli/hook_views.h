#pragma once

#include <string>

#include "client/cli/output.h"
#include "reinstate/v1/restore.pb.h"

namespace reinstate {

// What became of the hooks of `restore`, in a word: failed (if any did), interrupted, running,
// pending, succeeded; empty if there are none, or none yet.
Value HooksValue(const v1::Restore& restore);

// A line for each hook of `restore`, with what a failed one printed, for people. Empty if there are
// none.
std::string HookLines(const v1::Restore& restore);

}  // namespace reinstate

#pragma once

#include <string>

#include "absl/status/status.h"
#include "server/hooks/hook.h"

namespace reinstate {

// Runs hook.command once, without a shell, with `event` and a line feed on its standard input and
// the daemon's environment and working folder. OK if it ended with exit code 0 within hook.timeout.
//
// The command leads a process group of its own. When the command has ended, so has its group: what
// it left running there gets SIGKILL. If it takes too long, or should_end says so, the group gets
// SIGTERM first, and two seconds to end. Of what it prints only the end is kept, for the message of
// a failure.
//
// HOOK_FAILED with what happened and the end of what it printed; the status of should_end.
absl::Status RunCommandHook(const Hook& hook, const std::string& event,
                            const ShouldEnd& should_end);

}  // namespace reinstate

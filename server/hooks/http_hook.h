#pragma once

#include <string>

#include "absl/status/status.h"
#include "server/hooks/hook.h"

namespace reinstate {

// Posts `event` as application/json to hook.url once. OK if the answer is a 2xx and comes within
// hook.timeout. Redirects are not followed, and proxies of the environment not used. Of the answer
// at most 1 MiB is read, and only the end kept, for the message of a failure.
//
// HOOK_FAILED with what happened and the end of the answer; the status of should_end.
absl::Status RunHttpHook(const Hook& hook, const std::string& event, const ShouldEnd& should_end);

}  // namespace reinstate

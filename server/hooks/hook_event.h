#pragma once

#include <string>

#include "server/hooks/hook.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// What `hook` is told of `restore`, as a JSON object in one line, which server/README.md
// describes. Texts that are not UTF-8 have what is wrong replaced. Never values of rows.
std::string HookEvent(const Hook& hook, const state::RestoreRecord& restore);

}  // namespace reinstate

#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "storage/state/state_store.h"

namespace reinstate {

// Runs `action` unless `request` was carried out before, for calls that make no job. `result` is
// kept as the request's result. The action itself must bear to be repeated, and answer as it did: a
// crash between it and the record runs it once more. REQUEST_ID_REUSED, errors of `action`.
absl::Status OnlyOnce(StateStore* state, const RequestKey& request, const std::string& result,
                      const std::function<absl::Status()>& action);

}  // namespace reinstate

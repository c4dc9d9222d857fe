#pragma once

#include <string>

#include "absl/status/status.h"
#include "storage/live/live_store.h"
#include "storage/state/state_store.h"

namespace reinstate {

// STORE_IDENTITY_CHANGED, for people to act on, unless `found` is who `bound` was registered as.
absl::Status CheckBoundIdentity(const state::StoreRecord& bound, const StoreIdentity& found);

// The same for the store that is registered as `name`. UNAVAILABLE if it never was, because it
// could not be reached.
absl::Status CheckBoundIdentity(const StateStore& state, const std::string& name,
                                const StoreIdentity& found);

}  // namespace reinstate

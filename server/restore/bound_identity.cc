#include "server/restore/bound_identity.h"

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {

absl::Status CheckBoundIdentity(const state::StoreRecord& bound, const StoreIdentity& found) {
  if (bound.identity() == found.id) {
    return absl::OkStatus();
  }
  return MakeError(
      Reason::kStoreIdentityChanged,
      absl::StrCat("store ", bound.name(), " at ", found.address,
                   " is not the one that was registered (at ", bound.address(),
                   "): nothing is read from it or restored into it until somebody confirms it "
                   "with `reinstate store rebind`"));
}

absl::Status CheckBoundIdentity(const StateStore& state, const std::string& name,
                                const StoreIdentity& found) {
  ASSIGN_OR_RETURN(const auto records, state.Stores());
  for (const state::StoreRecord& record : records) {
    if (record.name() == name) {
      return CheckBoundIdentity(record, found);
    }
  }
  return MakeError(Reason::kUnavailable, absl::StrCat("store ", name, " could not be reached yet"));
}

}  // namespace reinstate

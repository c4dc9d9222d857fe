#pragma once

#include <string>

#include "absl/status/status.h"
#include "server/rpc/call.h"
#include "storage/state/state_store.h"

namespace reinstate {

// The audit entry of a call that changes `subject` (a snapshot's id, a store's name) of `store`,
// with who asked and why. `action` is e.g. "snapshot.held". `outcome` is why the change failed, if
// it did.
AuditDraft MakeAuditDraft(const Call& call, const std::string& action, const std::string& subject,
                          const std::string& store, const absl::Status& outcome);

}  // namespace reinstate

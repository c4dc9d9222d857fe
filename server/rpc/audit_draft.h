#pragma once

#include <string>

#include "server/rpc/call.h"
#include "storage/state/state_store.h"

namespace reinstate {

// The audit entry of a call that changed `subject` (a snapshot's id, a store's name) of `store`,
// with who asked and why. `action` is e.g. "snapshot.held".
AuditDraft MakeAuditDraft(const Call& call, const std::string& action, const std::string& subject,
                          const std::string& store);

}  // namespace reinstate

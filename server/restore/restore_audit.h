#pragma once

#include <string>

#include "storage/state/state_store.h"

namespace reinstate {

// The audit entry of what became of `record`, by `action`, e.g. "restore.succeeded", in the name of
// who ordered it.
AuditDraft RestoreAudit(const state::RestoreRecord& record, const std::string& action);

// The same of what somebody else did with it, and why.
AuditDraft RestoreAudit(const state::RestoreRecord& record, const std::string& action,
                        const state::Actor& actor, const std::string& reason);

// The same of a cancelled one, in the name of who asked for that.
AuditDraft CancelAudit(const state::RestoreRecord& record);

}  // namespace reinstate

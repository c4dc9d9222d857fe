#pragma once

#include <string_view>

#include "storage/state/state_store.h"

namespace reinstate {

// The audit entry of `job` on the history: `what` became of it, e.g. "ordered", in the name of who
// ordered or, once it is cancelled, who cancelled it.
AuditDraft JobAudit(const state::HistoryJob& job, std::string_view what);

}  // namespace reinstate

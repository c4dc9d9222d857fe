#pragma once

#include <cstddef>
#include <string>

#include "storage/state/state_store.h"

namespace reinstate {

// The entry that says who did `action` to `batch`, why, and to how many of its lines.
AuditDraft BatchAudit(const state::BatchRecord& batch, const std::string& action,
                      const state::Actor& actor, const std::string& reason, size_t lines);

}  // namespace reinstate

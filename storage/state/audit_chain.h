#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/state/change_set.h"
#include "storage/state/state_database.h"

namespace reinstate {

// The audit entries, each of which has the digest of the one before in its own, so that none can be
// changed, taken out or put in between unnoticed by who does not rewrite all that follow and the
// database's own record.
//
// Append is for one thread at a time; reads are thread-safe. Borrows the database.
class AuditChain {
 public:
  explicit AuditChain(const StateDatabase* database) : database_(database) {}

  // Adds `draft` to `change`, with number, time and digests.
  void Append(const AuditDraft& draft, absl::Time now, ChangeSet* change) const;

  // Up to `limit` entries with numbers after `after_number`, ascending.
  absl::StatusOr<std::vector<state::AuditEntry>> List(int64_t after_number, int64_t limit) const;

  // Follows the chain from entry 1 up to `head`. CORRUPT with the number of the first entry that
  // does not fit.
  absl::Status Verify(const ChangeSet::AuditHead& head) const;

  // SHA-256 over entry.previous() and the entry without its digest.
  static std::string DigestOf(const state::AuditEntry& entry);

 private:
  const StateDatabase* const database_;
};

}  // namespace reinstate

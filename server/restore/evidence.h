#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/restore/action_log.h"
#include "storage/live/tenant_session.h"
#include "storage/model/tenant_map.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// Whether a row of such a table is nothing but its key, or has none: whoever writes it again writes
// the same. False if the columns are not known.
bool IsAllKey(const TableSchema& schema);

// Collects a bounded, evenly spread sample of what a restore changes, by which its commit can be
// proved or disproved later: of the rows that it writes, and of those first that are proof alone;
// of those that it deletes only if it writes none. Not thread-safe.
class EvidenceCollector {
 public:
  // For a restore with so many deletions, and so many replacements and insertions.
  EvidenceCollector(int64_t deletions, int64_t writes);

  // To be called with every action, on the table with identity `table`, whose rows are nothing but
  // keys or not.
  void Add(const Action& action, const std::string& table, bool is_all_key);

  state::Evidence Finish() &&;

 private:
  const bool of_writes_;
  const int64_t stride_;
  int64_t seen_ = 0;
  bool has_proof_ = false;  // a row that is proof alone
  state::Evidence evidence_;
};

// Looks whether a restore whose commit was not answered has happened, by the rows of `evidence`.
// `session` holds the tenant's lock, which proves that the earlier session has ended, and has
// begun.
//
// As the transaction was atomic, one inserted or replaced row that is as the restore left it proves
// the commit, unless its table's rows are nothing but keys, by `map`: the application may have
// written such a row again, and would have written the same. All rows as they were before disproves
// it; where it only deleted, none of them there proves it. Anything else is kNotKnown. Errors of
// TenantSession::LookUp.
absl::StatusOr<CommitOutcome> JudgeEvidence(const state::Evidence& evidence, const TenantMap& map,
                                            TenantSession* session);

}  // namespace reinstate

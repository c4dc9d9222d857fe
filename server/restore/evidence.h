#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/restore/action_log.h"
#include "storage/live/tenant_session.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// Collects a bounded, evenly spread sample of what a restore changes, by which its commit can be
// proved or disproved later: of the rows that it writes, each of which is proof alone; of those
// that it deletes only if it writes none. Not thread-safe.
class EvidenceCollector {
 public:
  // For a restore with so many deletions, and so many replacements and insertions.
  EvidenceCollector(int64_t deletions, int64_t writes);

  // To be called with every action, on the table with identity `table`.
  void Add(const Action& action, const std::string& table);

  state::Evidence Finish() &&;

 private:
  const bool of_writes_;
  const int64_t stride_;
  int64_t seen_ = 0;
  state::Evidence evidence_;
};

// Looks whether a restore whose commit was not answered has happened, by the rows of `evidence`.
// `session` holds the tenant's lock, which proves that the earlier session has ended, and has
// begun.
//
// As the transaction was atomic, one inserted or replaced row that is as the restore left it proves
// the commit. All rows as they were before disproves it; where it only deleted, none of them there
// proves it. Anything else is kNotKnown. Errors of TenantSession::LookUp.
absl::StatusOr<CommitOutcome> JudgeEvidence(const state::Evidence& evidence,
                                            TenantSession* session);

}  // namespace reinstate

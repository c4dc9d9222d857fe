#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "storage/live/live_store.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// The certificate of a restore that was committed: what its intent says was verified, and every
// exception. `record` has its intent. `by_evidence`: the commit's answer was lost and the outcome
// was established afterwards. That a mirror has not been compared once more is an exception until
// one of the two below is called.
state::Certificate MakeCertificate(const state::RestoreRecord& record,
                                   const StoreIdentity& identity, absl::Time committed,
                                   bool by_evidence);

// Adds that the tenant was compared once more at `when`, and the tables that differed by then.
void AddSecondLook(absl::Time when, std::vector<state::TableFinding> differing,
                   state::Certificate* certificate);

// Adds to the exception why the tenant could not be compared once more.
void AddMissingSecondLook(const absl::Status& cause, state::Certificate* certificate);

}  // namespace reinstate

#pragma once

#include <string>

#include "absl/time/time.h"
#include "storage/live/live_store.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// The certificate of a restore that was committed: what its intent says was verified, and every
// exception. `record` has its intent. `by_evidence`: the commit's answer was lost and the outcome
// was established afterwards.
state::Certificate MakeCertificate(const state::RestoreRecord& record,
                                   const StoreIdentity& identity, absl::Time committed,
                                   bool by_evidence);

}  // namespace reinstate

#include "server/jobs/witness_keeper.h"

#include <set>
#include <string>
#include <vector>

#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// How much later than ours the history may look at the clock.
constexpr absl::Duration kMargin = absl::Hours(1);

}  // namespace

absl::Status WitnessKeeper::BeforeRetention(uint32_t lineage, const RetentionPolicy& policy,
                                            absl::Time now) {
  ASSIGN_OR_RETURN(const auto snapshots, history_->ListSnapshots(lineage));
  std::vector<std::string> may_be_dropped;
  for (const SnapshotInfo& snapshot : snapshots) {
    // With hardly any grace, what is hidden by this very run may be dropped by it as well.
    const absl::Time hidden = snapshot.hidden_since.value_or(now);
    if (hidden + policy.grace <= now + kMargin) {
      may_be_dropped.push_back(snapshot.id.ToString());
    }
  }
  return may_be_dropped.empty() ? absl::OkStatus() : state_->RemoveWitnesses(may_be_dropped);
}

absl::Status WitnessKeeper::Complete(uint32_t lineage) {
  ASSIGN_OR_RETURN(const auto snapshots, history_->ListSnapshots(lineage));
  ASSIGN_OR_RETURN(const auto witnesses, state_->Witnesses());
  std::set<std::string> witnessed;
  for (const state::WitnessRecord& witness : witnesses) {
    witnessed.insert(witness.snapshot());
  }
  for (const SnapshotInfo& snapshot : snapshots) {
    state::WitnessRecord witness;
    witness.set_snapshot(snapshot.id.ToString());
    witness.set_root_digest(snapshot.root_digest);
    if (!witnessed.contains(witness.snapshot())) {
      RETURN_IF_ERROR(state_->AddWitness(witness));
    }
  }
  return absl::OkStatus();
}

}  // namespace reinstate

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
  for (const SnapshotInfo& snapshot : snapshots) {
    // With hardly any grace, what is hidden by this very run may be dropped by it as well.
    const absl::Time hidden = snapshot.hidden_since.value_or(now);
    if (hidden + policy.grace <= now + kMargin) {
      state::WitnessRecord witness;
      witness.set_snapshot(snapshot.id.ToString());
      witness.set_root_digest(snapshot.root_digest);
      witness.set_may_be_gone(true);
      RETURN_IF_ERROR(state_->AddWitness(witness));
    }
  }
  return absl::OkStatus();
}

absl::Status WitnessKeeper::Settle(uint32_t lineage) {
  ASSIGN_OR_RETURN(const auto snapshots, history_->ListSnapshots(lineage));
  std::set<std::string> there;
  for (const SnapshotInfo& snapshot : snapshots) {
    there.insert(snapshot.id.ToString());
  }
  ASSIGN_OR_RETURN(const auto witnesses, state_->Witnesses());
  std::vector<std::string> gone;
  for (state::WitnessRecord witness : witnesses) {
    const auto id = SnapshotId::Parse(witness.snapshot());
    if (!witness.may_be_gone() || !id.ok() || id->lineage != lineage) {
      continue;
    }
    if (there.contains(witness.snapshot())) {
      witness.clear_may_be_gone();
      RETURN_IF_ERROR(state_->AddWitness(witness));
    } else {
      gone.push_back(witness.snapshot());
    }
  }
  return gone.empty() ? absl::OkStatus() : state_->RemoveWitnesses(gone);
}

}  // namespace reinstate

#include "server/history_opening.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr char kWhatToDo[] =
    " Until then the history can be read, and nothing is restored or captured.";

// Only what an operator can accept; damage stays an error.
bool DoNotFit(const absl::Status& status) {
  return HasReason(status, Reason::kStateLost) || HasReason(status, Reason::kHistoryIncomplete);
}

absl::StatusOr<std::vector<Witness>> LoadWitnesses(const StateStore& state) {
  ASSIGN_OR_RETURN(const std::vector<state::WitnessRecord> records, state.Witnesses());
  std::vector<Witness> witnesses;
  for (const state::WitnessRecord& record : records) {
    ASSIGN_OR_RETURN(const SnapshotId snapshot, SnapshotId::Parse(record.snapshot()));
    if (!record.may_be_gone()) {
      witnesses.push_back({snapshot, record.root_digest()});
    }
  }
  return witnesses;
}

absl::StatusOr<std::set<std::string>> UnfinishedJobs(const StateStore& state) {
  ASSIGN_OR_RETURN(const std::vector<state::HistoryJob> jobs, state.UnfinishedHistoryJobs());
  std::set<std::string> ids;
  for (const state::HistoryJob& job : jobs) {
    ids.insert(job.id());
  }
  return ids;
}

}  // namespace

absl::StatusOr<OpenedHistory> OpenHistory(HistoryOptions options, const StateStore& state,
                                          bool accept) {
  OpenedHistory opened;
  options.state_id = state.id();
  options.accept_other_state = accept;
  if (!accept) {
    ASSIGN_OR_RETURN(options.witnesses, LoadWitnesses(state));
  }
  absl::StatusOr<std::unique_ptr<History>> history = History::Open(options);
  if (DoNotFit(history.status())) {
    opened.read_only = history.status();
    options.read_only = true;
    history = History::Open(options);
    if (!history.ok()) {
      return opened.read_only;  // what came first says what to do
    }
    opened.read_only = MakeErrorFromName(
        opened.read_only.code(), ReasonOf(opened.read_only),
        absl::StrCat(opened.read_only.message(), " Or start with --accept-history.", kWhatToDo));
  }
  RETURN_IF_ERROR(history.status());
  opened.history = *std::move(history);
  return opened;
}

absl::Status CheckStateIsCurrent(const History& history, const std::vector<uint32_t>& lineages,
                                 const StateStore& state) {
  ASSIGN_OR_RETURN(const std::vector<state::WitnessRecord> witnesses, state.Witnesses());
  std::set<std::string> known;
  for (const state::WitnessRecord& witness : witnesses) {
    known.insert(witness.snapshot());
  }
  // A crash between a snapshot and its witness leaves its job unfinished.
  ASSIGN_OR_RETURN(const std::set<std::string> unfinished, UnfinishedJobs(state));
  for (const uint32_t lineage : lineages) {
    ASSIGN_OR_RETURN(const std::vector<SnapshotInfo> snapshots, history.ListSnapshots(lineage));
    for (const SnapshotInfo& snapshot : snapshots) {
      if (!known.contains(snapshot.id.ToString()) && !unfinished.contains(snapshot.job)) {
        return MakeError(
            Reason::kStateLost,
            absl::StrCat("The history has snapshot ", snapshot.id.ToString(),
                         ", of which the state database knows nothing: that is an older copy. Put "
                         "the right one back, or start with --accept-history.",
                         kWhatToDo));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status AcceptHistory(const History& history, const std::vector<uint32_t>& lineages,
                           StateStore* state) {
  ASSIGN_OR_RETURN(const std::vector<state::WitnessRecord> witnesses, state->Witnesses());
  std::vector<std::string> gone;
  gone.reserve(witnesses.size());
  for (const state::WitnessRecord& witness : witnesses) {
    gone.push_back(witness.snapshot());
  }
  RETURN_IF_ERROR(state->RemoveWitnesses(gone));
  for (const uint32_t lineage : lineages) {
    ASSIGN_OR_RETURN(const std::vector<SnapshotInfo> snapshots, history.ListSnapshots(lineage));
    for (const SnapshotInfo& snapshot : snapshots) {
      state::WitnessRecord witness;
      witness.set_snapshot(snapshot.id.ToString());
      witness.set_root_digest(snapshot.root_digest);
      RETURN_IF_ERROR(state->AddWitness(witness));
    }
  }
  return absl::OkStatus();
}

}  // namespace reinstate

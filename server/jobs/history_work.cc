#include "server/jobs/history_work.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

state::Progress ToState(const Progress& progress) {
  state::Progress present;
  present.set_rows(progress.rows);
  present.set_bytes(progress.bytes);
  present.set_total_rows(progress.total_rows);
  present.set_step(progress.step);
  return present;
}

WorkCallbacks CallbacksOf(RunControl* control) {
  return {.progress =
              [control](const Progress& progress) { control->ReportProgress(ToState(progress)); },
          .cancelled = [control] { return !control->Check().ok(); }};
}

void NoteCollapse(const SnapshotInfo& snapshot, state::HistoryJob* job) {
  if (snapshot.collapse.marked) {
    job->set_needs_a_look(true);
    job->add_notes(absl::StrCat(
        snapshot.collapse.vanished_tenants, " tenants are gone and ",
        snapshot.collapse.shrunken_tenants,
        " have lost half of their rows since the snapshot before: earlier snapshots do not expire "
        "until somebody has looked at it and lifts it"));
  }
}

}  // namespace

HistoryWork::HistoryWork(const HistoryJobsOptions& options, StoreRegistry* stores, History* history,
                         StateStore* state)
    : options_(options),
      stores_(stores),
      history_(history),
      snapshotter_({.readers = options.snapshot_readers, .collapse = options.collapse}, history),
      witnesses_(history, state) {}

absl::Status HistoryWork::SettleWitnesses(const ServedStore& store) {
  return witnesses_.Settle(store.lineage);
}

absl::StatusOr<HistoryWork::Result> HistoryWork::Perform(state::HistoryJob* job,
                                                         RunControl* control) {
  switch (job->kind()) {
    case state::TAKE_SNAPSHOT:
      return TakeSnapshot(job, control);
    case state::VERIFY_SNAPSHOT:
      return VerifySnapshot(*job, control);
    default:
      return ApplyRetention(job, control);
  }
}

absl::StatusOr<std::optional<SnapshotInfo>> HistoryWork::TakenBefore(uint32_t lineage,
                                                                     const std::string& job) const {
  ASSIGN_OR_RETURN(const auto snapshots, history_->ListSnapshots(lineage));
  for (const SnapshotInfo& snapshot : snapshots) {
    if (snapshot.job == job) {
      return snapshot;
    }
  }
  return std::nullopt;
}

absl::StatusOr<HistoryWork::Result> HistoryWork::TakeSnapshot(state::HistoryJob* job,
                                                              RunControl* control) {
  ASSIGN_OR_RETURN(const ServedStore* store, stores_->Find(job->store()));
  // An earlier process may have been ended between the snapshot and the record of it.
  ASSIGN_OR_RETURN(std::optional<SnapshotInfo> taken, TakenBefore(store->lineage, job->id()));
  if (!taken.has_value()) {
    RETURN_IF_ERROR(stores_->CheckIdentity(job->store()));
    ASSIGN_OR_RETURN(const state::StoreRecord record, stores_->Record(job->store()));
    Snapshotter::Order order;
    order.lineage = store->lineage;
    order.store_identity = record.identity();
    order.job = job->id();
    order.accept_clock_jump = job->accept_clock_jump();
    const WorkCallbacks callbacks = CallbacksOf(control);
    order.progress = callbacks.progress;
    order.cancelled = callbacks.cancelled;
    ASSIGN_OR_RETURN(taken, snapshotter_.Take(store->live, order));
  }
  job->set_snapshot(taken->id.ToString());
  job->mutable_progress()->set_rows(taken->sum.rows);
  job->mutable_progress()->set_total_rows(taken->sum.rows);
  job->mutable_progress()->set_bytes(taken->sum.bytes);
  NoteCollapse(*taken, job);
  Result result;
  result.witness.emplace().set_snapshot(taken->id.ToString());
  result.witness->set_root_digest(taken->root_digest);
  return result;
}

absl::StatusOr<HistoryWork::Result> HistoryWork::VerifySnapshot(const state::HistoryJob& job,
                                                                RunControl* control) {
  ASSIGN_OR_RETURN(const SnapshotId id, SnapshotId::Parse(job.snapshot()));
  RETURN_IF_ERROR(history_->VerifySnapshot(id, CallbacksOf(control)));
  return Result();
}

absl::StatusOr<HistoryWork::Result> HistoryWork::ApplyRetention(state::HistoryJob* job,
                                                                RunControl* control) {
  ASSIGN_OR_RETURN(const ServedStore* store, stores_->Find(job->store()));
  const auto schedule = options_.schedules.find(job->store());
  const RetentionPolicy policy =
      schedule == options_.schedules.end() ? RetentionPolicy() : schedule->second.retention;
  RETURN_IF_ERROR(witnesses_.BeforeRetention(store->lineage, policy, options_.clock->Now()));
  const absl::StatusOr<RetentionReport> report =
      history_->ApplyRetention(store->lineage, policy, CallbacksOf(control));
  RETURN_IF_ERROR(witnesses_.Settle(store->lineage));
  RETURN_IF_ERROR(report.status());
  job->add_notes(absl::StrCat(report->hidden.size(), " snapshots hidden, ", report->expired.size(),
                              " dropped; ", report->bytes_before, " bytes before, ",
                              report->bytes_after, " after"));
  return Result();
}

}  // namespace reinstate

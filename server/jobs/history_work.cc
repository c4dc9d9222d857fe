#include "server/jobs/history_work.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/snapshot/dump_file.h"
#include "server/snapshot/store_lineages.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// By how much the clock of a dump's source may be ahead of ours.
constexpr absl::Duration kAcceptedSkew = absl::Minutes(5);

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

// What came of a job that has added `snapshot`.
HistoryWork::Result Taken(const SnapshotInfo& snapshot, state::HistoryJob* job) {
  job->set_snapshot(snapshot.id.ToString());
  job->mutable_progress()->set_rows(snapshot.sum.rows);
  job->mutable_progress()->set_total_rows(snapshot.sum.rows);
  job->mutable_progress()->set_bytes(snapshot.sum.bytes);
  NoteCollapse(snapshot, job);
  HistoryWork::Result result;
  result.witness.emplace().set_snapshot(snapshot.id.ToString());
  result.witness->set_root_digest(snapshot.root_digest);
  return result;
}

std::string FormatInstant(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_full, time, absl::UTCTimeZone());
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
  for (const StoreLineage& lineage : LineagesOf(*history_, store.name)) {
    RETURN_IF_ERROR(witnesses_.Settle(lineage.number));
  }
  return absl::OkStatus();
}

absl::StatusOr<HistoryWork::Result> HistoryWork::Perform(state::HistoryJob* job,
                                                         RunControl* control) {
  switch (job->kind()) {
    case state::TAKE_SNAPSHOT:
      return TakeSnapshot(job, control);
    case state::IMPORT_SNAPSHOT:
      return ImportSnapshot(job, control);
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
    ASSIGN_OR_RETURN(const Snapshotter::Order order, OrderFor(*job, store->lineage, control));
    ASSIGN_OR_RETURN(taken, snapshotter_.Take(store->live, order));
  }
  return Taken(*taken, job);
}

absl::StatusOr<HistoryWork::Result> HistoryWork::ImportSnapshot(state::HistoryJob* job,
                                                                RunControl* control) {
  ASSIGN_OR_RETURN(const uint32_t lineage,
                   history_->EnsureLineage(ImportLineage(job->store(), job->lineage())));
  ASSIGN_OR_RETURN(std::optional<SnapshotInfo> taken, TakenBefore(lineage, job->id()));
  if (!taken.has_value()) {
    ASSIGN_OR_RETURN(const std::unique_ptr<DumpCut> cut, DumpCut::Open(DumpPath(*job)));
    RETURN_IF_ERROR(CheckDumpInstant(job->store(), job->lineage(), cut->info().instant));
    ASSIGN_OR_RETURN(const Snapshotter::Order order, OrderFor(*job, lineage, control));
    ASSIGN_OR_RETURN(taken, snapshotter_.Import(cut.get(), order));
  }
  return Taken(*taken, job);
}

absl::StatusOr<Snapshotter::Order> HistoryWork::OrderFor(const state::HistoryJob& job,
                                                         uint32_t lineage,
                                                         RunControl* control) const {
  ASSIGN_OR_RETURN(const state::StoreRecord record, stores_->Record(job.store()));
  Snapshotter::Order order;
  order.lineage = lineage;
  order.store_identity = record.identity();
  order.job = job.id();
  order.accept_clock_jump = job.accept_clock_jump();
  const WorkCallbacks callbacks = CallbacksOf(control);
  order.progress = callbacks.progress;
  order.cancelled = callbacks.cancelled;
  return order;
}

absl::Status HistoryWork::CheckDumpInstant(const std::string& store, const std::string& lineage,
                                           absl::Time instant) const {
  const absl::Time now = options_.clock->Now();
  if (instant > now + kAcceptedSkew) {
    return MakeError(
        Reason::kClockJumped,
        absl::StrCat("The dump says that it is of ", FormatInstant(instant),
                     ", which is to come: it is ", FormatInstant(now),
                     " for the daemon. Check the instant of the dump and the clocks."));
  }
  for (const StoreLineage& other : LineagesOf(*history_, store)) {
    if (other.name != lineage) {
      continue;
    }
    ASSIGN_OR_RETURN(const std::vector<SnapshotInfo> snapshots,
                     history_->ListSnapshots(other.number));
    if (const auto same = std::ranges::find(snapshots, instant, &SnapshotInfo::instant);
        same != snapshots.end()) {
      return MakeError(Reason::kClockJumped,
                       absl::StrCat("The dump is of ", FormatInstant(instant), ", and lineage ",
                                    lineage, " has that of this instant: ", same->id.ToString(),
                                    ". If it is the same there is nothing to do; name another "
                                    "lineage for a different one."));
    }
    if (!snapshots.empty() && instant < snapshots.back().instant) {
      return MakeError(
          Reason::kClockJumped,
          absl::StrCat("The dump is of ", FormatInstant(instant), ", and lineage ", lineage,
                       " already has one of ", FormatInstant(snapshots.back().instant), " (",
                       snapshots.back().id.ToString(),
                       "). Dumps of a lineage are imported oldest first; name another lineage for "
                       "an older one."));
    }
  }
  return absl::OkStatus();
}

std::string HistoryWork::DumpPath(const state::HistoryJob& job) const {
  return absl::StrCat(options_.imports_path, "/", job.dump());
}

absl::Status HistoryWork::RemoveDumpsBut(const std::vector<state::HistoryJob>& jobs) const {
  std::set<std::string> wanted;
  for (const state::HistoryJob& job : jobs) {
    wanted.insert(job.dump());
  }
  std::error_code error;
  std::filesystem::directory_iterator entries(options_.imports_path, error);
  if (error == std::errc::no_such_file_or_directory) {
    return absl::OkStatus();
  }
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    if (!wanted.contains(entries->path().filename())) {
      std::filesystem::remove(entries->path(), error);
    }
  }
  return error ? MakeError(Reason::kInternal,
                           absl::StrCat("cannot clear the folder of imports: ", error.message()))
               : absl::OkStatus();
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
  // Imported dumps are hidden by people only.
  const RetentionPolicy of_imports{.grace = policy.grace};
  RetentionReport all;
  RETURN_IF_ERROR(ApplyRetentionTo(store->lineage, policy, control, &all));
  for (const StoreLineage& lineage : LineagesOf(*history_, store->name)) {
    if (lineage.number != store->lineage) {
      RETURN_IF_ERROR(ApplyRetentionTo(lineage.number, of_imports, control, &all));
    }
  }
  job->add_notes(absl::StrCat(all.hidden.size(), " snapshots hidden, ", all.expired.size(),
                              " dropped; ", all.bytes_before, " bytes before, ", all.bytes_after,
                              " after"));
  return Result();
}

// Adds what was done to `*report`.
absl::Status HistoryWork::ApplyRetentionTo(uint32_t lineage, const RetentionPolicy& policy,
                                           RunControl* control, RetentionReport* report) {
  RETURN_IF_ERROR(witnesses_.BeforeRetention(lineage, policy, options_.clock->Now()));
  const absl::StatusOr<RetentionReport> done =
      history_->ApplyRetention(lineage, policy, CallbacksOf(control));
  RETURN_IF_ERROR(witnesses_.Settle(lineage));
  RETURN_IF_ERROR(done.status());
  report->hidden.insert(report->hidden.end(), done->hidden.begin(), done->hidden.end());
  report->expired.insert(report->expired.end(), done->expired.begin(), done->expired.end());
  if (report->bytes_before == 0) {
    report->bytes_before = done->bytes_before;
  }
  report->bytes_after = done->bytes_after;
  return absl::OkStatus();
}

}  // namespace reinstate

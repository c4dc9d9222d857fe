#include "tests/bench/bench_daemon.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "google/protobuf/util/time_util.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "tests/bench/machine.h"

namespace reinstate::bench {

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixNanos(google::protobuf::util::TimeUtil::TimestampToNanoseconds(time));
}

absl::StatusOr<std::unique_ptr<BenchDaemon>> BenchDaemon::Start(Options options) {
  std::filesystem::remove_all(options.data_path);
  std::unique_ptr<BenchDaemon> daemon(new BenchDaemon(std::move(options)));
  RETURN_IF_ERROR(daemon->Open());
  return daemon;
}

absl::Status BenchDaemon::Open() {
  ASSIGN_OR_RETURN(daemon_, DaemonProcess::Start({.data_path = options_.data_path,
                                                  .arguments = options_.arguments,
                                                  .fault_points = ""}));
  ASSIGN_OR_RETURN(client_,
                   ReinstateClient::Connect({.address = daemon_->address(), .actor = "bench"}));
  return absl::OkStatus();
}

absl::Status BenchDaemon::Stop() {
  ASSIGN_OR_RETURN(peak_bytes_, PeakBytes());
  client_.reset();
  if (const int code = daemon_->Terminate(); code != 0) {
    return MakeError(Reason::kInternal,
                     absl::StrCat("The daemon exited with ", code, ": ", daemon_->Output()));
  }
  return absl::OkStatus();
}

absl::Status BenchDaemon::Restart() {
  RETURN_IF_ERROR(Stop());
  return Open();
}

absl::Status BenchDaemon::RestartWithoutHistory() {
  RETURN_IF_ERROR(Stop());
  std::filesystem::remove_all(absl::StrCat(options_.data_path, "/history"));
  std::filesystem::remove_all(absl::StrCat(options_.data_path, "/state"));
  return Open();
}

absl::StatusOr<BenchDaemon::SnapshotRun> BenchDaemon::TakeSnapshot() {
  v1::TakeSnapshotRequest request;
  request.set_store(options_.store);
  ASSIGN_OR_RETURN(const v1::Job begun, client_->TakeSnapshot(request));
  ASSIGN_OR_RETURN(const v1::Job job, client_->WaitForJob(begun.id(), {}));
  RETURN_IF_ERROR(OutcomeOf(job));
  v1::GetSnapshotRequest get;
  get.set_snapshot(job.snapshot());
  ASSIGN_OR_RETURN(const v1::Snapshot snapshot, client_->GetSnapshot(get));
  return SnapshotRun{.time = ToTime(job.end_time()) - ToTime(job.start_time()),
                     .rows = snapshot.counts().rows(),
                     .added_bytes = snapshot.added_bytes(),
                     .disk_bytes = FolderBytes(absl::StrCat(options_.data_path, "/history"))};
}

void BenchDaemon::AwaitQuiet() const {
  constexpr absl::Duration kStep = absl::Milliseconds(100);
  constexpr int kQuietSteps = 5;
  const absl::Time give_up = absl::Now() + absl::Minutes(1);
  int64_t last = ProcessorTicks(daemon_->pid());
  int quiet = 0;
  while (quiet < kQuietSteps && absl::Now() < give_up) {
    absl::SleepFor(kStep);
    const int64_t now = ProcessorTicks(daemon_->pid());
    quiet = now - last <= 1 ? quiet + 1 : 0;
    last = now;
  }
}

absl::StatusOr<std::string> BenchDaemon::BeginRestore(const std::string& tenant) {
  v1::CreateRestoreRequest request;
  request.mutable_spec()->set_store(options_.store);
  request.mutable_spec()->set_tenant(tenant);
  request.mutable_spec()->set_at("latest");
  request.mutable_spec()->set_mode(v1::RESTORE_MODE_CREATE_MISSING);
  ASSIGN_OR_RETURN(const v1::Restore restore, client_->CreateRestore(request));
  return restore.id();
}

absl::StatusOr<BenchDaemon::RestoreRun> BenchDaemon::Restore(std::span<const std::string> tenants) {
  std::vector<std::string> ids;
  ids.reserve(tenants.size());
  for (const std::string& tenant : tenants) {
    ASSIGN_OR_RETURN(std::string id, BeginRestore(tenant));
    ids.push_back(std::move(id));
  }
  absl::Time first_start = absl::InfiniteFuture();
  absl::Time last_end = absl::InfinitePast();
  RestoreRun run;
  for (const std::string& id : ids) {
    ASSIGN_OR_RETURN(const v1::Restore restore, client_->WaitForRestore(id, {}));
    RETURN_IF_ERROR(OutcomeOf(restore));
    first_start = std::min(first_start, ToTime(restore.start_time()));
    last_end = std::max(last_end, ToTime(restore.end_time()));
    run.busy += ToTime(restore.end_time()) - ToTime(restore.start_time());
    run.inserted += restore.totals().inserted();
  }
  run.time = last_end - first_start;
  return run;
}

absl::StatusOr<absl::Duration> BenchDaemon::RestoreByCommandLine(const std::string& tenant,
                                                                 const std::string& cli) {
  const absl::Time start = absl::Now();
  RETURN_IF_ERROR(RunQuietly({cli, "--address", daemon_->address(), "restore", "create", tenant,
                              "--at", "latest", "--wait"}));
  return absl::Now() - start;
}

absl::StatusOr<int64_t> BenchDaemon::PeakBytesSinceStart() const {
  std::ifstream status(absl::StrCat("/proc/", daemon_->pid(), "/status"));
  std::string word;
  int64_t kib = 0;
  while (status >> word) {
    if (word == "VmHWM:" && status >> kib) {
      return kib * 1024;
    }
  }
  return MakeError(Reason::kInternal, absl::StrCat("The daemon is gone: ", daemon_->Output()));
}

absl::StatusOr<int64_t> BenchDaemon::PeakBytes() const {
  ASSIGN_OR_RETURN(const int64_t present, PeakBytesSinceStart());
  return std::max(peak_bytes_, present);
}

}  // namespace reinstate::bench

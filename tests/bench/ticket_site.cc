#include "tests/bench/ticket_site.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/api/record_writer.h"
#include "google/protobuf/util/time_util.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/model/key_parts.h"

namespace reinstate::bench {
namespace {

constexpr char kStore[] = "main";

v1::Record ToWire(const TenantId& tenant, std::string_view table, const Record& record) {
  v1::Record wire;
  wire.set_tenant(tenant.value());
  wire.set_table(std::string(table));
  wire.set_key(record.key.bytes());
  wire.set_payload(record.payload);
  return wire;
}

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixNanos(google::protobuf::util::TimeUtil::TimestampToNanoseconds(time));
}

int64_t FolderBytes(const std::string& folder) {
  int64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    std::error_code gone;  // RocksDB removes files in the background
    const uintmax_t size = entry.is_regular_file(gone) ? entry.file_size(gone) : 0;
    bytes += gone ? 0 : static_cast<int64_t>(size);
  }
  return bytes;
}

// Runs a program with its output discarded. INTERNAL if it does not exit with 0.
absl::Status RunProgram(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  const int failure = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (failure == 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
      WEXITSTATUS(status) == 0) {
    return absl::OkStatus();
  }
  return MakeError(Reason::kInternal,
                   absl::StrCat(absl::StrJoin(arguments, " "), " failed, status ", status, "."));
}

// The time that a process has spent on processors, in clock ticks; 0 if it is gone.
int64_t ProcessorTicks(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string text;
  std::getline(file, text);
  // The name of the program, in parentheses, may have spaces; two numbers, 11 fields after it.
  std::istringstream fields(text.substr(std::min(text.size(), text.rfind(')') + 1)));
  std::string skipped;
  for (int i = 0; i < 11; ++i) {
    fields >> skipped;
  }
  int64_t user = 0;
  int64_t system = 0;
  fields >> user >> system;
  return user + system;
}

void VisitTenant(const TicketTracker& tracker, size_t tenant, const KeyedVisitor& visit) {
  std::string key;
  tracker.ForEach(tenant, [&](std::string_view table, const Record& record) {
    key.clear();
    AppendKeyPart(tracker.tenants()[tenant].id.value(), &key);
    AppendKeyPart(table, &key);
    AppendKeyPart(record.key.bytes(), &key);
    visit(key, record.payload);
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<TicketSite>> TicketSite::Load(const TicketTracker* tracker,
                                                             const std::string& data_path) {
  std::filesystem::remove_all(data_path);
  std::unique_ptr<TicketSite> site(new TicketSite(tracker, data_path));
  RETURN_IF_ERROR(site->Start());
  RETURN_IF_ERROR(site->PutAll());
  return site;
}

absl::Status TicketSite::Start() {
  ASSIGN_OR_RETURN(daemon_, DaemonProcess::Start({.data_path = data_path_}));
  ASSIGN_OR_RETURN(client_,
                   ReinstateClient::Connect({.address = daemon_->address(), .actor = "bench"}));
  return absl::OkStatus();
}

absl::Status TicketSite::Stop() {
  ASSIGN_OR_RETURN(peak_bytes_, PeakBytes());
  client_.reset();
  if (const int code = daemon_->Terminate(); code != 0) {
    return MakeError(Reason::kInternal,
                     absl::StrCat("The daemon exited with ", code, ": ", daemon_->Output()));
  }
  return absl::OkStatus();
}

absl::Status TicketSite::Restart() {
  RETURN_IF_ERROR(Stop());
  return Start();
}

absl::Status TicketSite::RestartWithoutHistory() {
  RETURN_IF_ERROR(Stop());
  std::filesystem::remove_all(absl::StrCat(data_path_, "/history"));
  std::filesystem::remove_all(absl::StrCat(data_path_, "/state"));
  return Start();
}

absl::Status TicketSite::PutAll() {
  const std::unique_ptr<RecordWriter> writer = client_->WriteRecords(kStore);
  for (size_t tenant = 0; tenant < tracker_->tenants().size(); ++tenant) {
    const TenantId& id = tracker_->tenants()[tenant].id;
    tracker_->ForEach(tenant, [&](std::string_view table, const Record& record) {
      writer->Put(ToWire(id, table, record));
    });
  }
  return writer->Finish().status();
}

absl::Status TicketSite::ChangeRecords(int64_t one_in, uint64_t edition) {
  const std::unique_ptr<RecordWriter> writer = client_->WriteRecords(kStore);
  for (size_t tenant = 0; tenant < tracker_->tenants().size(); ++tenant) {
    const TenantId& id = tracker_->tenants()[tenant].id;
    tracker_->ForEachChanged(tenant, one_in, edition,
                             [&](std::string_view table, const Record& record) {
                               writer->Put(ToWire(id, table, record));
                             });
  }
  return writer->Finish().status();
}

absl::StatusOr<TicketSite::SnapshotRun> TicketSite::TakeSnapshot() {
  v1::TakeSnapshotRequest request;
  request.set_store(kStore);
  ASSIGN_OR_RETURN(const v1::Job begun, client_->TakeSnapshot(request));
  ASSIGN_OR_RETURN(const v1::Job job, client_->WaitForJob(begun.id(), {}));
  RETURN_IF_ERROR(OutcomeOf(job));
  v1::GetSnapshotRequest get;
  get.set_snapshot(job.snapshot());
  ASSIGN_OR_RETURN(const v1::Snapshot snapshot, client_->GetSnapshot(get));
  if (snapshot.counts().rows() != tracker_->records()) {
    return MakeError(Reason::kShortfall, absl::StrCat("The snapshot has ", snapshot.counts().rows(),
                                                      " of ", tracker_->records(), " rows."));
  }
  return SnapshotRun{.time = ToTime(job.end_time()) - ToTime(job.start_time()),
                     .added_bytes = snapshot.added_bytes(),
                     .disk_bytes = FolderBytes(absl::StrCat(data_path_, "/history"))};
}

absl::Status TicketSite::DeleteTenant(size_t tenant) {
  v1::DeleteTenantRequest request;
  request.set_store(kStore);
  request.set_tenant(tracker_->tenants()[tenant].id.value());
  return client_->DeleteTenant(request).status();
}

void TicketSite::AwaitQuiet() const {
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

absl::StatusOr<std::string> TicketSite::BeginRestore(size_t tenant) {
  v1::CreateRestoreRequest request;
  request.mutable_spec()->set_store(kStore);
  request.mutable_spec()->set_tenant(tracker_->tenants()[tenant].id.value());
  request.mutable_spec()->set_at("latest");
  request.mutable_spec()->set_mode(v1::RESTORE_MODE_CREATE_MISSING);
  ASSIGN_OR_RETURN(const v1::Restore restore, client_->CreateRestore(request));
  return restore.id();
}

absl::StatusOr<TicketSite::RestoreRun> TicketSite::DeleteAndRestore(
    std::span<const size_t> tenants) {
  int64_t expected = 0;
  for (const size_t tenant : tenants) {
    RETURN_IF_ERROR(DeleteTenant(tenant));
    expected += tracker_->tenants()[tenant].records;
  }
  AwaitQuiet();
  std::vector<std::string> ids;
  ids.reserve(tenants.size());
  for (const size_t tenant : tenants) {
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
    run.rows += restore.totals().inserted();
  }
  run.time = last_end - first_start;
  if (run.rows != expected) {
    return MakeError(Reason::kShortfall,
                     absl::StrCat("The restores inserted ", run.rows, " of ", expected, " rows."));
  }
  return run;
}

absl::StatusOr<absl::Duration> TicketSite::DeleteAndRestoreByCommandLine(size_t tenant,
                                                                         const std::string& cli) {
  RETURN_IF_ERROR(DeleteTenant(tenant));
  const absl::Time start = absl::Now();
  RETURN_IF_ERROR(RunProgram({cli, "--address", daemon_->address(), "restore", "create",
                              tracker_->tenants()[tenant].id.value(), "--at", "latest", "--wait"}));
  return absl::Now() - start;
}

absl::StatusOr<int64_t> TicketSite::PeakBytesSinceStart() const {
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

absl::StatusOr<int64_t> TicketSite::PeakBytes() const {
  ASSIGN_OR_RETURN(const int64_t present, PeakBytesSinceStart());
  return std::max(peak_bytes_, present);
}

KeyedRecords AllRecords(const TicketTracker& tracker) {
  return [&tracker](const KeyedVisitor& visit) {
    for (size_t tenant = 0; tenant < tracker.tenants().size(); ++tenant) {
      VisitTenant(tracker, tenant, visit);
    }
  };
}

KeyedRecords RecordsOf(const TicketTracker& tracker, std::span<const size_t> tenants) {
  return [&tracker, tenants](const KeyedVisitor& visit) {
    for (const size_t tenant : tenants) {
      VisitTenant(tracker, tenant, visit);
    }
  };
}

}  // namespace reinstate::bench

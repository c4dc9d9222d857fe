#include "tests/support/daemon_world.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "reinstate/v1/job_service.grpc.pb.h"
#include "reinstate/v1/snapshot_service.grpc.pb.h"
#include "storage/base/fault_points.h"
#include "storage/live/rocksdb/embedded_store.h"
#include "tests/support/require.h"

namespace reinstate {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr int kRecordsPerMessage = 500;

TenantId Id(const std::string& tenant) { return *TenantId::Parse(tenant); }

}  // namespace

DaemonWorld::DaemonWorld(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {}

void DaemonWorld::Start(const std::string& fault_points) {
  Require(TryStart(fault_points), "the daemon ended at a fault point before it served");
}

bool DaemonWorld::TryStart(const std::string& fault_points) {
  daemon_.reset();
  auto daemon = DaemonProcess::Start({.data_path = folder_.path() + "/data",
                                      .arguments = arguments_,
                                      .fault_points = fault_points});
  const std::string crash = absl::StrCat("code ", FaultPoints::kCrashExitCode, ":");
  if (!daemon.ok() && absl::StrContains(daemon.status().message(), crash)) {
    return false;
  }
  Require(daemon.ok(), daemon.ok() ? "" : daemon.status().ToString());
  daemon_ = *std::move(daemon);
  Connect();
  return true;
}

void DaemonWorld::StartToStay(const std::vector<Stay>& stays) {
  const auto append = [](std::string* out, const Stay& stay) {
    absl::StrAppend(out, stay.first, "=hang@", stay.second);
  };
  said_before_it_ = daemon_ == nullptr ? 0 : daemon_->Output().size();
  Start(absl::StrJoin(stays, ",", append));
  stays_ = stays;
}

void DaemonWorld::AwaitStay() {
  const absl::Time deadline = absl::Now() + kPatience;
  for (const auto& [place, hit] : stays_) {
    const std::string reached = absl::StrCat("fault point ", place, " reached");
    while (!absl::StrContains(daemon_->Output().substr(said_before_it_), reached)) {
      Require(absl::Now() < deadline, absl::StrCat("no ", reached, ": ", Output()));
      absl::SleepFor(absl::Milliseconds(10));
    }
  }
}

void DaemonWorld::Connect() {
  // A channel of its own each time: a pooled one would wait out its backoff after the kill.
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  channel_ =
      grpc::CreateCustomChannel(daemon_->address(), grpc::InsecureChannelCredentials(), arguments);
  records_ = v1::RecordService::NewStub(channel_);
  restores_ = v1::RestoreService::NewStub(channel_);
}

void DaemonWorld::TakeSnapshot(const std::string& store) {
  auto snapshots = v1::SnapshotService::NewStub(channel_);
  auto jobs = v1::JobService::NewStub(channel_);
  v1::Job job;
  {
    grpc::ClientContext context;
    v1::TakeSnapshotRequest request;
    request.set_store(store);
    Require(snapshots->TakeSnapshot(&context, request, &job), "take snapshot");
  }
  const absl::Time deadline = absl::Now() + kPatience;
  while (job.state() != v1::JOB_STATE_SUCCEEDED && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(20));
    grpc::ClientContext context;
    v1::GetJobRequest request;
    request.set_job(job.id());
    Require(jobs->GetJob(&context, request, &job), "get job");
    Require(job.state() != v1::JOB_STATE_FAILED, "snapshot: " + job.failure().message());
  }
  Require(job.state() == v1::JOB_STATE_SUCCEEDED, "the snapshot does not end");
}

bool DaemonWorld::Put(const std::string& tenant, const std::string& table, const std::string& key,
                      const std::string& payload) {
  grpc::ClientContext context;
  v1::PutRequest request;
  request.mutable_record()->set_tenant(tenant);
  request.mutable_record()->set_table(table);
  request.mutable_record()->set_key(key);
  request.mutable_record()->set_payload(payload);
  v1::PutResponse response;
  return records_->Put(&context, request, &response).ok();
}

bool DaemonWorld::Delete(const std::string& tenant, const std::string& table,
                         const std::string& key) {
  grpc::ClientContext context;
  v1::DeleteRequest request;
  request.mutable_key()->set_tenant(tenant);
  request.mutable_key()->set_table(table);
  request.mutable_key()->set_key(key);
  v1::DeleteResponse response;
  return records_->Delete(&context, request, &response).ok();
}

void DaemonWorld::Write(const std::string& tenant,
                        const std::map<std::string, std::map<std::string, std::string>>& tables,
                        const std::string& store) {
  grpc::ClientContext context;
  v1::WriteResponse response;
  auto writer = records_->Write(&context, &response);
  v1::WriteRequest request;
  request.set_store(store);
  for (const auto& [table, rows] : tables) {
    for (const auto& [key, payload] : rows) {
      v1::Record* record = request.add_operations()->mutable_put();
      record->set_tenant(tenant);
      record->set_table(table);
      record->set_key(key);
      record->set_payload(payload);
      if (request.operations_size() == kRecordsPerMessage) {
        writer->Write(request);
        request.Clear();
      }
    }
  }
  writer->Write(request);
  writer->WritesDone();
  Require(writer->Finish(), "write");
}

void DaemonWorld::DeleteTenant(const std::string& tenant, const std::string& store) {
  grpc::ClientContext context;
  v1::DeleteTenantRequest request;
  request.set_store(store);
  request.set_tenant(tenant);
  v1::DeleteTenantResponse response;
  Require(records_->DeleteTenant(&context, request, &response), "delete tenant");
}

StoreRows DaemonWorld::Read(const std::vector<std::string>& tenants,
                            const std::vector<std::string>& tables, const std::string& store) {
  StoreRows rows;
  for (const std::string& tenant : tenants) {
    for (const std::string& table : tables) {
      grpc::ClientContext context;
      v1::ScanRequest request;
      request.set_store(store);
      request.set_tenant(tenant);
      request.set_table(table);
      auto reader = records_->Scan(&context, request);
      v1::ScanResponse response;
      while (reader->Read(&response)) {
        for (const v1::Record& record : response.records()) {
          rows[tenant][table][record.key()] = record.payload();
        }
      }
      Require(reader->Finish(), "scan");
    }
  }
  return rows;
}

StoreRows DaemonWorld::ReadAtRest(const std::vector<std::string>& tenants,
                                  const std::vector<std::string>& tables,
                                  const std::string& store) {
  auto opened = EmbeddedStore::Open({.path = absl::StrCat(folder_.path(), "/data/stores/", store)});
  Require(opened.ok(), opened.ok() ? "" : opened.status().ToString());
  StoreRows rows;
  Record record;
  for (const std::string& tenant : tenants) {
    for (const std::string& table : tables) {
      auto stream = (*opened)->Scan(Id(tenant), table, RowKey());
      Require(stream.ok(), "scan at rest");
      while (true) {
        const absl::StatusOr<bool> more = (*stream)->Next(&record);
        Require(more.ok(), "scan at rest");
        if (!*more) {
          break;
        }
        rows[tenant][table][record.key.bytes()] = record.payload;
      }
    }
  }
  return rows;
}

std::string DaemonWorld::CreateRestore(const std::string& tenant, v1::RestoreMode mode,
                                       const std::string& request_id) {
  grpc::ClientContext context;
  v1::CreateRestoreRequest request;
  request.mutable_spec()->set_store("main");
  request.mutable_spec()->set_tenant(tenant);
  request.mutable_spec()->set_at("latest");
  request.mutable_spec()->set_mode(mode);
  request.set_request_id(request_id);
  v1::Restore restore;
  const grpc::Status status = restores_->CreateRestore(&context, request, &restore);
  Require(status.ok() || status.error_code() == grpc::StatusCode::UNAVAILABLE,
          "create: " + status.error_message());
  return restore.id();
}

std::string DaemonWorld::CreateUndo(const std::string& restore_id, const std::string& request_id) {
  grpc::ClientContext context;
  v1::UndoRestoreRequest request;
  request.set_restore(restore_id);
  request.set_request_id(request_id);
  v1::Restore restore;
  const grpc::Status status = restores_->UndoRestore(&context, request, &restore);
  Require(status.ok() || status.error_code() == grpc::StatusCode::UNAVAILABLE,
          "undo: " + status.error_message());
  return restore.id();
}

grpc::StatusCode DaemonWorld::TryUndo(const std::string& restore_id,
                                      const std::string& request_id) {
  grpc::ClientContext context;
  v1::UndoRestoreRequest request;
  request.set_restore(restore_id);
  request.set_request_id(request_id);
  v1::Restore restore;
  return restores_->UndoRestore(&context, request, &restore).error_code();
}

v1::Restore DaemonWorld::WaitForEnd(const std::string& restore_id) {
  const absl::Time deadline = absl::Now() + kPatience;
  while (absl::Now() < deadline) {
    grpc::ClientContext context;
    v1::GetRestoreRequest request;
    request.set_restore(restore_id);
    v1::Restore restore;
    Require(restores_->GetRestore(&context, request, &restore), "get restore");
    if (restore.state() != v1::RESTORE_STATE_QUEUED &&
        restore.state() != v1::RESTORE_STATE_RUNNING) {
      return restore;
    }
    absl::SleepFor(absl::Milliseconds(5));
  }
  Require(false, "restore " + restore_id + " does not end: " + Output());
  return {};
}

bool DaemonWorld::WasFoundOut(const std::string& restore) {
  grpc::ClientContext context;
  v1::GetCertificateRequest request;
  request.set_restore(restore);
  v1::Certificate certificate;
  return restores_->GetCertificate(&context, request, &certificate).ok() &&
         certificate.resolved_by_evidence();
}

std::string DaemonWorld::Output() const {
  const std::string output = daemon_ == nullptr ? "" : daemon_->Output();
  return output.substr(output.size() > 3000 ? output.size() - 3000 : 0);
}

}  // namespace reinstate

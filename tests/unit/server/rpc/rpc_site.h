#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "reinstate/v1/batch_service.grpc.pb.h"
#include "reinstate/v1/job_service.grpc.pb.h"
#include "reinstate/v1/record_service.grpc.pb.h"
#include "reinstate/v1/restore_service.grpc.pb.h"
#include "reinstate/v1/snapshot_service.grpc.pb.h"
#include "reinstate/v1/store_service.grpc.pb.h"
#include "reinstate/v1/tenant_service.grpc.pb.h"
#include "server/jobs/batch_manager.h"
#include "server/jobs/history_jobs.h"
#include "server/jobs/restore_manager.h"
#include "server/jobs/store_registry.h"
#include "server/restore/restore_engine.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/rpc_pool.h"
#include "server/rpc/rpc_server.h"
#include "server/rpc/store_monitor.h"
#include "storage/live/memory/memory_store.h"
#include "storage/state/state_store.h"
#include "tests/support/temp_dir.h"

namespace reinstate {

// What a failed call says in its details.
struct WireError {
  grpc::StatusCode code = grpc::StatusCode::OK;
  std::string reason;  // "OK" for a call that succeeded, "" if it has no ErrorInfo
  std::string domain;
  std::string message;
  std::string field;   // of the BadRequest, if there is one
  bool retry = false;  // whether there is a RetryInfo
};

WireError ReadError(const grpc::Status& status);

// The reason of a call, or "OK".
inline std::string ReasonOf(const grpc::Status& status) { return ReadError(status).reason; }

// A client context that gives up after a while: no test hangs.
std::unique_ptr<grpc::ClientContext> NewContext();

// All services over real parts (history and state in a temporary folder) and a store in memory that
// is called "main", reached through an in-process channel. Members throw the test off with a
// failure where the site itself does not work.
class RpcSite {
 public:
  struct Options {
    RpcPool::Options pool;
    absl::Status read_only;
  };

  RpcSite() : RpcSite(Options()) {}
  explicit RpcSite(const Options& options);
  ~RpcSite();
  RpcSite(const RpcSite&) = delete;
  RpcSite& operator=(const RpcSite&) = delete;

  MemoryStore& store() { return store_; }
  FaultPoints& faults() { return faults_; }
  CallGate& gate() { return *gate_; }
  std::string imports_path() const { return folder_.path() + "/imports"; }
  RpcPool& pool() { return *pool_; }
  StateStore& state() { return *state_; }
  History& history() { return *history_; }
  std::shared_ptr<grpc::Channel> channel() { return channel_; }

  v1::StoreService::Stub& stores() { return *store_stub_; }
  v1::SnapshotService::Stub& snapshots() { return *snapshot_stub_; }
  v1::JobService::Stub& jobs() { return *job_stub_; }
  v1::TenantService::Stub& tenants() { return *tenant_stub_; }
  v1::RestoreService::Stub& restores() { return *restore_stub_; }
  v1::RecordService::Stub& records() { return *record_stub_; }
  v1::BatchService::Stub& batches() { return *batch_stub_; }

  void Put(const std::string& tenant, const std::string& table, const std::string& key,
           const std::string& payload);
  void DeleteTenant(const std::string& tenant);

  // Through the calls: take a snapshot or restore a tenant, and wait for the end.
  v1::Job TakeSnapshot();
  v1::Restore Restore(const std::string& tenant, v1::RestoreMode mode);
  v1::Restore WaitFor(const std::string& restore);

  // Ends calls and jobs, as the daemon does.
  void Shutdown();

 private:
  void OpenParts();
  void Serve(const Options& options);

  const TempDir folder_;
  FaultPoints faults_;
  MemoryStore store_;
  std::unique_ptr<StateStore> state_;
  std::unique_ptr<History> history_;
  std::unique_ptr<StoreRegistry> stores_;
  std::unique_ptr<StoreMonitor> monitor_;
  std::unique_ptr<RestoreEngine> engine_;
  std::unique_ptr<RestoreManager> restores_;
  std::unique_ptr<BatchManager> batches_;
  std::unique_ptr<HistoryJobs> history_jobs_;
  std::unique_ptr<RpcPool> pool_;
  std::unique_ptr<CallGate> gate_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<RpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::StoreService::Stub> store_stub_;
  std::unique_ptr<v1::SnapshotService::Stub> snapshot_stub_;
  std::unique_ptr<v1::JobService::Stub> job_stub_;
  std::unique_ptr<v1::TenantService::Stub> tenant_stub_;
  std::unique_ptr<v1::RestoreService::Stub> restore_stub_;
  std::unique_ptr<v1::RecordService::Stub> record_stub_;
  std::unique_ptr<v1::BatchService::Stub> batch_stub_;
};

}  // namespace reinstate

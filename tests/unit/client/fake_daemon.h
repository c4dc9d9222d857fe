#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "reinstate/v1/batch_service.grpc.pb.h"
#include "reinstate/v1/restore_service.grpc.pb.h"
#include "reinstate/v1/snapshot_service.grpc.pb.h"
#include "reinstate/v1/store_service.grpc.pb.h"
#include "reinstate/v1/tenant_service.grpc.pb.h"
#include "storage/base/error.h"
#include "storage/base/mutex.h"

namespace reinstate {

// What a test makes the daemon answer. What is not set is UNIMPLEMENTED. Set before Start.
struct FakeAnswers {
  template <typename Request, typename Response>
  using Unary = std::function<grpc::Status(const Request&, Response*)>;
  template <typename Request, typename Response>
  using Stream = std::function<grpc::Status(const Request&, grpc::ServerContext*,
                                            const std::function<void(const Response&)>& send)>;

  Unary<v1::ListStoresRequest, v1::ListStoresResponse> list_stores;
  Unary<v1::GetStoreRequest, v1::Store> get_store;
  Unary<v1::DiscoverStoreRequest, v1::DiscoverStoreResponse> discover_store;
  Unary<v1::GetSnapshotRequest, v1::Snapshot> get_snapshot;
  Unary<v1::ResolvePointRequest, v1::Point> resolve_point;
  Unary<v1::FindTenantsRequest, v1::FindTenantsResponse> find_tenants;
  Unary<v1::PlanRestoreRequest, v1::Plan> plan_restore;
  Unary<v1::GetPlanRequest, v1::Plan> get_plan;
  Stream<v1::WatchPlanRequest, v1::Plan> watch_plan;
  Unary<v1::CreateRestoreRequest, v1::Restore> create_restore;
  Unary<v1::GetRestoreRequest, v1::Restore> get_restore;
  Unary<v1::ListRestoresRequest, v1::ListRestoresResponse> list_restores;
  Stream<v1::WatchRestoreRequest, v1::Restore> watch_restore;
  Unary<v1::UndoRestoreRequest, v1::Restore> undo_restore;
  Stream<v1::ResolveTenantsRequest, v1::ResolveTenantsResponse> resolve_tenants;
  Unary<v1::CreateBatchRequest, v1::Batch> create_batch;
  Unary<v1::GetBatchRequest, v1::Batch> get_batch;
  Unary<v1::ListBatchesRequest, v1::ListBatchesResponse> list_batches;
  Unary<v1::ListBatchLinesRequest, v1::ListBatchLinesResponse> list_batch_lines;
  Stream<v1::WatchBatchRequest, v1::Batch> watch_batch;
  // All four calls that control a batch, with the name of the method.
  std::function<grpc::Status(const std::string& method, const v1::ControlBatchRequest&, v1::Batch*)>
      control_batch;
  Unary<v1::AddToBatchRequest, v1::Batch> add_to_batch;
  Unary<v1::PrioritizeBatchRequest, v1::Batch> prioritize_batch;
  Unary<v1::UndoBatchRequest, v1::Batch> undo_batch;
};

// A daemon inside the test that answers as it is told, over a real connection on a socket of the
// file system.
class FakeDaemon {
 public:
  FakeDaemon(std::string socket_path, FakeAnswers answers);
  ~FakeDaemon();
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;

  // For ClientOptions::address and --address.
  std::string address() const { return "unix:" + socket_path_; }

  void Start();
  // Breaks all connections.
  void Stop();

 private:
  class Stores;
  class Snapshots;
  class Tenants;
  class Restores;
  class Batches;

  const std::string socket_path_;
  const FakeAnswers answers_;
  const std::unique_ptr<Stores> stores_;
  const std::unique_ptr<Snapshots> snapshots_;
  const std::unique_ptr<Tenants> tenants_;
  const std::unique_ptr<Restores> restores_;
  const std::unique_ptr<Batches> batches_;
  std::unique_ptr<grpc::Server> server_;
};

// `reason` as the daemon sends it: with ErrorInfo.
grpc::Status WireError(Reason reason, const std::string& message, const std::string& step = "");

}  // namespace reinstate

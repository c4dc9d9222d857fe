#include "tests/unit/client/fake_daemon.h"

#include <chrono>
#include <utility>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace reinstate {
namespace {

template <typename Answer, typename Request, typename Response>
grpc::Status Answered(const Answer& answer, const Request* request, Response* response) {
  return answer ? answer(*request, response)
                : grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "not set by the test");
}

template <typename Answer, typename Request, typename Response>
grpc::Status Streamed(const Answer& answer, const Request* request, grpc::ServerContext* context,
                      grpc::ServerWriter<Response>* writer) {
  if (!answer) {
    return {grpc::StatusCode::UNIMPLEMENTED, "not set by the test"};
  }
  return answer(*request, context, [writer](const Response& message) { writer->Write(message); });
}

}  // namespace

class FakeDaemon::Stores : public v1::StoreService::Service {
 public:
  explicit Stores(const FakeAnswers& answers) : answers_(answers) {}

  grpc::Status ListStores(grpc::ServerContext* /*context*/, const v1::ListStoresRequest* request,
                          v1::ListStoresResponse* response) override {
    return Answered(answers_.list_stores, request, response);
  }
  grpc::Status GetStore(grpc::ServerContext* /*context*/, const v1::GetStoreRequest* request,
                        v1::Store* response) override {
    return Answered(answers_.get_store, request, response);
  }
  grpc::Status DiscoverStore(grpc::ServerContext* /*context*/,
                             const v1::DiscoverStoreRequest* request,
                             v1::DiscoverStoreResponse* response) override {
    return Answered(answers_.discover_store, request, response);
  }

 private:
  const FakeAnswers& answers_;
};

class FakeDaemon::Snapshots : public v1::SnapshotService::Service {
 public:
  explicit Snapshots(const FakeAnswers& answers) : answers_(answers) {}

  grpc::Status GetSnapshot(grpc::ServerContext* /*context*/, const v1::GetSnapshotRequest* request,
                           v1::Snapshot* response) override {
    return Answered(answers_.get_snapshot, request, response);
  }
  grpc::Status ResolvePoint(grpc::ServerContext* /*context*/,
                            const v1::ResolvePointRequest* request, v1::Point* response) override {
    return Answered(answers_.resolve_point, request, response);
  }

 private:
  const FakeAnswers& answers_;
};

class FakeDaemon::Tenants : public v1::TenantService::Service {
 public:
  explicit Tenants(const FakeAnswers& answers) : answers_(answers) {}

  grpc::Status FindTenants(grpc::ServerContext* /*context*/, const v1::FindTenantsRequest* request,
                           v1::FindTenantsResponse* response) override {
    return Answered(answers_.find_tenants, request, response);
  }
  grpc::Status ResolveTenants(grpc::ServerContext* context,
                              const v1::ResolveTenantsRequest* request,
                              grpc::ServerWriter<v1::ResolveTenantsResponse>* writer) override {
    return Streamed(answers_.resolve_tenants, request, context, writer);
  }

 private:
  const FakeAnswers& answers_;
};

class FakeDaemon::Restores : public v1::RestoreService::Service {
 public:
  explicit Restores(const FakeAnswers& answers) : answers_(answers) {}

  grpc::Status PlanRestore(grpc::ServerContext* /*context*/, const v1::PlanRestoreRequest* request,
                           v1::Plan* response) override {
    return Answered(answers_.plan_restore, request, response);
  }
  grpc::Status GetPlan(grpc::ServerContext* /*context*/, const v1::GetPlanRequest* request,
                       v1::Plan* response) override {
    return Answered(answers_.get_plan, request, response);
  }
  grpc::Status WatchPlan(grpc::ServerContext* context, const v1::WatchPlanRequest* request,
                         grpc::ServerWriter<v1::Plan>* writer) override {
    return Streamed(answers_.watch_plan, request, context, writer);
  }
  grpc::Status CreateRestore(grpc::ServerContext* /*context*/,
                             const v1::CreateRestoreRequest* request,
                             v1::Restore* response) override {
    return Answered(answers_.create_restore, request, response);
  }
  grpc::Status GetRestore(grpc::ServerContext* /*context*/, const v1::GetRestoreRequest* request,
                          v1::Restore* response) override {
    return Answered(answers_.get_restore, request, response);
  }
  grpc::Status ListRestores(grpc::ServerContext* /*context*/,
                            const v1::ListRestoresRequest* request,
                            v1::ListRestoresResponse* response) override {
    return Answered(answers_.list_restores, request, response);
  }
  grpc::Status WatchRestore(grpc::ServerContext* context, const v1::WatchRestoreRequest* request,
                            grpc::ServerWriter<v1::Restore>* writer) override {
    return Streamed(answers_.watch_restore, request, context, writer);
  }
  grpc::Status UndoRestore(grpc::ServerContext* /*context*/, const v1::UndoRestoreRequest* request,
                           v1::Restore* response) override {
    return Answered(answers_.undo_restore, request, response);
  }

 private:
  const FakeAnswers& answers_;
};

class FakeDaemon::Batches : public v1::BatchService::Service {
 public:
  explicit Batches(const FakeAnswers& answers) : answers_(answers) {}

  grpc::Status CreateBatch(grpc::ServerContext* /*context*/, const v1::CreateBatchRequest* request,
                           v1::Batch* response) override {
    return Answered(answers_.create_batch, request, response);
  }
  grpc::Status GetBatch(grpc::ServerContext* /*context*/, const v1::GetBatchRequest* request,
                        v1::Batch* response) override {
    return Answered(answers_.get_batch, request, response);
  }
  grpc::Status ListBatches(grpc::ServerContext* /*context*/, const v1::ListBatchesRequest* request,
                           v1::ListBatchesResponse* response) override {
    return Answered(answers_.list_batches, request, response);
  }
  grpc::Status ListBatchLines(grpc::ServerContext* /*context*/,
                              const v1::ListBatchLinesRequest* request,
                              v1::ListBatchLinesResponse* response) override {
    return Answered(answers_.list_batch_lines, request, response);
  }
  grpc::Status WatchBatch(grpc::ServerContext* context, const v1::WatchBatchRequest* request,
                          grpc::ServerWriter<v1::Batch>* writer) override {
    return Streamed(answers_.watch_batch, request, context, writer);
  }
  grpc::Status PauseBatch(grpc::ServerContext* /*context*/, const v1::ControlBatchRequest* request,
                          v1::Batch* response) override {
    return Controlled("PauseBatch", request, response);
  }
  grpc::Status ResumeBatch(grpc::ServerContext* /*context*/, const v1::ControlBatchRequest* request,
                           v1::Batch* response) override {
    return Controlled("ResumeBatch", request, response);
  }
  grpc::Status CancelBatch(grpc::ServerContext* /*context*/, const v1::ControlBatchRequest* request,
                           v1::Batch* response) override {
    return Controlled("CancelBatch", request, response);
  }
  grpc::Status RetryBatch(grpc::ServerContext* /*context*/, const v1::ControlBatchRequest* request,
                          v1::Batch* response) override {
    return Controlled("RetryBatch", request, response);
  }
  grpc::Status AddToBatch(grpc::ServerContext* /*context*/, const v1::AddToBatchRequest* request,
                          v1::Batch* response) override {
    return Answered(answers_.add_to_batch, request, response);
  }
  grpc::Status PrioritizeBatch(grpc::ServerContext* /*context*/,
                               const v1::PrioritizeBatchRequest* request,
                               v1::Batch* response) override {
    return Answered(answers_.prioritize_batch, request, response);
  }
  grpc::Status UndoBatch(grpc::ServerContext* /*context*/, const v1::UndoBatchRequest* request,
                         v1::Batch* response) override {
    return Answered(answers_.undo_batch, request, response);
  }

 private:
  grpc::Status Controlled(const char* method, const v1::ControlBatchRequest* request,
                          v1::Batch* response) const {
    return answers_.control_batch
               ? answers_.control_batch(method, *request, response)
               : grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "not set by the test");
  }

  const FakeAnswers& answers_;
};

FakeDaemon::FakeDaemon(std::string socket_path, FakeAnswers answers)
    : socket_path_(std::move(socket_path)),
      answers_(std::move(answers)),
      stores_(std::make_unique<Stores>(answers_)),
      snapshots_(std::make_unique<Snapshots>(answers_)),
      tenants_(std::make_unique<Tenants>(answers_)),
      restores_(std::make_unique<Restores>(answers_)),
      batches_(std::make_unique<Batches>(answers_)) {
  Start();
}

FakeDaemon::~FakeDaemon() { Stop(); }

void FakeDaemon::Start() {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address(), grpc::InsecureServerCredentials());
  builder.RegisterService(stores_.get());
  builder.RegisterService(snapshots_.get());
  builder.RegisterService(tenants_.get());
  builder.RegisterService(restores_.get());
  builder.RegisterService(batches_.get());
  server_ = builder.BuildAndStart();
}

void FakeDaemon::Stop() {
  if (server_ != nullptr) {
    server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }
}

grpc::Status WireError(Reason reason, const std::string& message, const std::string& step) {
  const absl::Status status = MakeError(reason, message);
  google::rpc::ErrorInfo info;
  if (!step.empty()) {
    (*info.mutable_metadata())["step"] = step;
  }
  info.set_reason(std::string(ReasonName(reason)));
  info.set_domain("reinstate");
  google::rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(message);
  details.add_details()->PackFrom(info);
  return {static_cast<grpc::StatusCode>(status.code()), message, details.SerializeAsString()};
}

}  // namespace reinstate

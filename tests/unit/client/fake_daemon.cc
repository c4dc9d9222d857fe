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

FakeDaemon::FakeDaemon(std::string socket_path, FakeAnswers answers)
    : socket_path_(std::move(socket_path)),
      answers_(std::move(answers)),
      stores_(std::make_unique<Stores>(answers_)),
      tenants_(std::make_unique<Tenants>(answers_)),
      restores_(std::make_unique<Restores>(answers_)) {
  Start();
}

FakeDaemon::~FakeDaemon() { Stop(); }

void FakeDaemon::Start() {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address(), grpc::InsecureServerCredentials());
  builder.RegisterService(stores_.get());
  builder.RegisterService(tenants_.get());
  builder.RegisterService(restores_.get());
  server_ = builder.BuildAndStart();
}

void FakeDaemon::Stop() {
  if (server_ != nullptr) {
    server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }
}

grpc::Status WireError(Reason reason, const std::string& message) {
  const absl::Status status = MakeError(reason, message);
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(ReasonName(reason)));
  info.set_domain("reinstate");
  google::rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(message);
  details.add_details()->PackFrom(info);
  return {static_cast<grpc::StatusCode>(status.code()), message, details.SerializeAsString()};
}

}  // namespace reinstate

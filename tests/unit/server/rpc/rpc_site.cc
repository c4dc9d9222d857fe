#include "tests/unit/server/rpc/rpc_site.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <span>
#include <utility>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/rpc/services.h"

namespace reinstate {
namespace {

constexpr char kStore[] = "main";

template <typename T>
T Must(absl::StatusOr<T> result) {
  EXPECT_TRUE(result.ok()) << result.status();
  return *std::move(result);
}

void Must(const absl::Status& status) { EXPECT_TRUE(status.ok()) << status; }

}  // namespace

WireError ReadError(const grpc::Status& status) {
  WireError error;
  error.code = status.error_code();
  error.message = status.error_message();
  if (status.ok()) {
    error.reason = "OK";
    return error;
  }
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  for (const google::protobuf::Any& any : details.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad_request;
    google::rpc::RetryInfo retry;
    if (any.UnpackTo(&info)) {
      error.reason = info.reason();
      error.domain = info.domain();
    } else if (any.UnpackTo(&bad_request)) {
      error.field = bad_request.field_violations(0).field();
    } else if (any.UnpackTo(&retry)) {
      error.retry = true;
    }
  }
  return error;
}

std::unique_ptr<grpc::ClientContext> NewContext() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  return context;
}

RpcSite::RpcSite(const Options& options)
    : store_(MemoryStoreOptions{.id = "site", .faults = &faults_}) {
  OpenParts();
  Serve(options);
}

RpcSite::~RpcSite() { Shutdown(); }

void RpcSite::OpenParts() {
  StateOptions state;
  state.path = folder_.path() + "/state";
  state.reserve_bytes = 0;
  state.faults = &faults_;
  state_ = Must(StateStore::Open(state));
  HistoryOptions history;
  history.path = folder_.path() + "/history";
  history_ = Must(History::Open(history));
  stores_ = std::make_unique<StoreRegistry>(history_.get(), state_.get());
  Must(stores_->Register(
      {.name = kStore, .adapter = "memory", .live = &store_, .records = &store_}));
  monitor_ = std::make_unique<StoreMonitor>(StoreMonitor::Options{}, stores_.get());
  RestoreEngineOptions engine;
  engine.spill_path = folder_.path() + "/spill";
  engine.faults = &faults_;
  engine_ = Must(RestoreEngine::Create(engine, history_.get(), state_.get()));
  restores_ =
      Must(RestoreManager::Create({}, stores_.get(), history_.get(), state_.get(), engine_.get()));
  HistoryJobsOptions history_jobs;
  history_jobs.imports_path = imports_path();
  std::filesystem::create_directory(imports_path());
  history_jobs_ =
      Must(HistoryJobs::Create(history_jobs, stores_.get(), history_.get(), state_.get()));
  // No look at whether tenants shrink: what a test loses is lost before.
  batches_ = BatchManager::Create({.groups = {}, .shrink_watch = absl::ZeroDuration()},
                                  stores_.get(), history_.get(), state_.get(), restores_.get());
  Must(batches_->Prepare());
  Must(restores_->Start());
  batches_->Start();
  Must(history_jobs_->Start());
}

void RpcSite::Serve(const Options& options) {
  pool_ = std::make_unique<RpcPool>(options.pool);
  gate_ = std::make_unique<CallGate>(pool_.get());
  ServiceParts parts;
  parts.stores = stores_.get();
  parts.monitor = monitor_.get();
  parts.history = history_.get();
  parts.state = state_.get();
  parts.restores = restores_.get();
  parts.batches = batches_.get();
  parts.history_jobs = history_jobs_.get();
  parts.imports_path = imports_path();
  parts.read_only = options.read_only;
  services_.push_back(MakeStoreService(gate_.get(), parts));
  services_.push_back(MakeSnapshotService(gate_.get(), parts));
  services_.push_back(MakeJobService(gate_.get(), parts));
  services_.push_back(MakeTenantService(gate_.get(), parts));
  services_.push_back(MakeRestoreService(gate_.get(), parts));
  services_.push_back(MakeRecordService(gate_.get(), parts));
  services_.push_back(MakeBatchService(gate_.get(), parts));
  std::vector<grpc::Service*> services;
  for (const auto& service : services_) {
    services.push_back(service.get());
  }
  server_ = Must(RpcServer::Start({}, services));
  channel_ = server_->server()->InProcessChannel({});
  store_stub_ = v1::StoreService::NewStub(channel_);
  snapshot_stub_ = v1::SnapshotService::NewStub(channel_);
  job_stub_ = v1::JobService::NewStub(channel_);
  tenant_stub_ = v1::TenantService::NewStub(channel_);
  restore_stub_ = v1::RestoreService::NewStub(channel_);
  record_stub_ = v1::RecordService::NewStub(channel_);
  batch_stub_ = v1::BatchService::NewStub(channel_);
}

void RpcSite::Put(const std::string& tenant, const std::string& table, const std::string& key,
                  const std::string& payload) {
  const RecordWrite write{Must(TenantId::Parse(tenant)), table, RowKey(key), payload};
  Must(store_.Write(std::span(&write, 1), /*sync=*/true));
}

void RpcSite::DeleteTenant(const std::string& tenant) {
  Must(store_.DeleteTenant(Must(TenantId::Parse(tenant))).status());
}

v1::Job RpcSite::TakeSnapshot() {
  v1::TakeSnapshotRequest request;
  request.set_store(kStore);
  v1::Job job;
  EXPECT_EQ(ReasonOf(snapshots().TakeSnapshot(NewContext().get(), request, &job)), "OK");
  v1::WatchJobRequest watch;
  watch.set_job(job.id());
  const auto context = NewContext();
  const auto stream = jobs().WatchJob(context.get(), watch);
  while (stream->Read(&job)) {
  }
  EXPECT_EQ(ReasonOf(stream->Finish()), "OK");
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.DebugString();
  return job;
}

v1::Restore RpcSite::Restore(const std::string& tenant, v1::RestoreMode mode) {
  v1::CreateRestoreRequest request;
  request.mutable_spec()->set_store(kStore);
  request.mutable_spec()->set_tenant(tenant);
  request.mutable_spec()->set_at("latest");
  request.mutable_spec()->set_mode(mode);
  v1::Restore restore;
  EXPECT_EQ(ReasonOf(restores().CreateRestore(NewContext().get(), request, &restore)), "OK");
  return WaitFor(restore.id());
}

v1::Restore RpcSite::WaitFor(const std::string& id) {
  v1::WatchRestoreRequest watch;
  watch.set_restore(id);
  const auto context = NewContext();
  const auto stream = restores().WatchRestore(context.get(), watch);
  v1::Restore restore;
  while (stream->Read(&restore)) {
  }
  EXPECT_EQ(ReasonOf(stream->Finish()), "OK");
  return restore;
}

void RpcSite::Shutdown() {
  gate_->Drain();
  batches_->Shutdown();
  restores_->Shutdown();
  history_jobs_->Shutdown();
  server_->Shutdown(absl::Seconds(30));
  pool_->Shutdown();
}

}  // namespace reinstate

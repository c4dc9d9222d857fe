#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/api/client.h"
#include "tests/support/daemon_process.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace reinstate {

// The real daemon over its embedded store, called through the client library.
class DaemonTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }

  // Starts it on the usual data, with these fault points, and connects to it.
  void Start(std::vector<std::string> arguments = {}, const std::string& fault_points = "") {
    absl::StatusOr<std::unique_ptr<DaemonProcess>> started =
        DaemonProcess::Start({.data_path = Path("data"),
                              .arguments = std::move(arguments),
                              .fault_points = fault_points});
    ASSERT_THAT(started, IsOk());
    daemon_ = *std::move(started);
    ClientOptions options;
    options.address = daemon_->address();
    options.actor = "tester";
    absl::StatusOr<std::unique_ptr<ReinstateClient>> client = ReinstateClient::Connect(options);
    ASSERT_THAT(client, IsOk());
    client_ = *std::move(client);
  }

  void Stop() {
    client_.reset();
    ASSERT_EQ(daemon_->Terminate(), 0) << daemon_->Output();
    stopped_output_ = daemon_->Output();
    daemon_.reset();
  }

  // What a daemon says that does not start, beginning with its exit code.
  std::string Refusal(const std::string& data, std::vector<std::string> arguments) {
    const auto started =
        DaemonProcess::Start({.data_path = Path(data), .arguments = std::move(arguments)});
    EXPECT_FALSE(started.ok()) << "it serves";
    return std::string(started.status().message());
  }

  void Put(const std::string& tenant, const std::string& key, const std::string& payload) {
    v1::PutRequest request;
    request.mutable_record()->set_tenant(tenant);
    request.mutable_record()->set_table("issue");
    request.mutable_record()->set_key(key);
    request.mutable_record()->set_payload(payload);
    EXPECT_THAT(client_->PutRecord(request), IsOk());
  }

  absl::StatusOr<std::string> Get(const std::string& tenant, const std::string& key) {
    v1::GetRequest request;
    request.mutable_key()->set_tenant(tenant);
    request.mutable_key()->set_table("issue");
    request.mutable_key()->set_key(key);
    absl::StatusOr<v1::GetResponse> response = client_->GetRecord(request);
    return response.ok() ? absl::StatusOr<std::string>(response->record().payload())
                         : response.status();
  }

  void DeleteTenant(const std::string& tenant) {
    v1::DeleteTenantRequest request;
    request.set_tenant(tenant);
    EXPECT_THAT(client_->DeleteTenant(request), IsOk());
  }

  absl::StatusOr<v1::Job> TakeSnapshot() {
    v1::TakeSnapshotRequest request;
    request.set_store("main");
    absl::StatusOr<v1::Job> job = client_->TakeSnapshot(request);
    return job.ok() ? client_->WaitForJob(job->id(), {}) : job;
  }

  std::string MustTakeSnapshot() {
    const absl::StatusOr<v1::Job> job = TakeSnapshot();
    EXPECT_THAT(job, IsOk());
    EXPECT_EQ(job.ok() ? job->state() : v1::JOB_STATE_UNSPECIFIED, v1::JOB_STATE_SUCCEEDED);
    return job.ok() ? job->snapshot() : "";
  }

  absl::StatusOr<v1::Restore> CreateRestore(const std::string& tenant,
                                            const std::string& request_id = "") {
    v1::CreateRestoreRequest request;
    request.mutable_spec()->set_store("main");
    request.mutable_spec()->set_tenant(tenant);
    request.mutable_spec()->set_at("latest");
    request.set_request_id(request_id);
    return client_->CreateRestore(request);
  }

  v1::Restore Restore(const std::string& tenant) {
    const absl::StatusOr<v1::Restore> created = CreateRestore(tenant);
    EXPECT_THAT(created, IsOk());
    const absl::StatusOr<v1::Restore> done =
        created.ok() ? client_->WaitForRestore(created->id(), {}) : created;
    EXPECT_THAT(done, IsOk());
    return done.value_or(v1::Restore());
  }

  v1::Store ShowStore() {
    v1::GetStoreRequest request;
    request.set_store("main");
    const absl::StatusOr<v1::Store> store = client_->GetStore(request);
    EXPECT_THAT(store, IsOk());
    return store.value_or(v1::Store());
  }

  const TempDir folder_;
  std::unique_ptr<DaemonProcess> daemon_;
  std::string stopped_output_;  // of the daemon that was stopped last
  std::unique_ptr<ReinstateClient> client_;
};

}  // namespace reinstate

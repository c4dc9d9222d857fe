#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "reinstate/v1/batch_service.grpc.pb.h"
#include "tests/support/daemon_world.h"

namespace reinstate {

// A request for a batch that makes `tenants` as they were at the latest snapshot. `where` says in
// which store or group; the other fields of the spec are set.
v1::CreateBatchRequest MirrorBatch(const std::vector<std::string>& tenants, v1::BatchSpec where,
                                   const std::string& request_id);

// Whether nothing of the batch goes on by itself.
bool HasEnded(const v1::Batch& batch);

// The batches of a DaemonWorld's daemon, called as a client would. Failures of what a test takes
// for granted end the test. Borrows the world.
class DaemonBatches {
 public:
  explicit DaemonBatches(DaemonWorld* world) : world_(world) {}

  // Each is nullopt if the daemon ended meanwhile.
  std::optional<v1::Batch> Create(const v1::CreateBatchRequest& request);
  std::optional<v1::Batch> Undo(const std::string& batch, const std::string& request_id);
  std::optional<v1::Batch> TryGet(const std::string& batch);

  v1::Batch Get(const std::string& batch);
  v1::Batch Pause(const std::string& batch);
  v1::Batch Resume(const std::string& batch);
  v1::Batch Cancel(const std::string& batch);
  v1::Batch Retry(const std::string& batch);

  // Waits until the batch, which is asked for again and again, is so.
  v1::Batch Await(const std::string& batch, const std::function<bool(const v1::Batch&)>& holds,
                  absl::Duration poll = absl::Milliseconds(10));
  v1::Batch AwaitEnd(const std::string& batch) { return Await(batch, HasEnded); }

  // In their order; up to 1,000.
  std::vector<v1::BatchLine> Lines(const std::string& batch);

  // All restores and undos that the daemon knows of.
  std::vector<v1::Restore> Restores();

 private:
  using Control = grpc::Status (v1::BatchService::Stub::*)(grpc::ClientContext*,
                                                           const v1::ControlBatchRequest&,
                                                           v1::Batch*);
  v1::Batch Call(Control control, const std::string& batch, const char* what);
  std::unique_ptr<v1::BatchService::Stub> Stub() const {
    return v1::BatchService::NewStub(world_->channel());
  }

  DaemonWorld* const world_;
};

}  // namespace reinstate

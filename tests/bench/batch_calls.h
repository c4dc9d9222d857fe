#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reinstate/v1/batch_service.grpc.pb.h"
#include "reinstate/v1/restore_service.grpc.pb.h"
#include "reinstate/v1/store_service.grpc.pb.h"
#include "reinstate/v1/tenant_service.grpc.pb.h"

namespace reinstate::bench {

// The calls by which an incident is dealt with, in one store, as any program that knows the wire
// makes them. Thread-safe.
class BatchCalls {
 public:
  BatchCalls(const std::string& address, std::string store);

  // Lines of a batch from what people call the tenants, at the newest snapshot. TENANT_NOT_FOUND if
  // a name is not exactly that of one.
  absl::StatusOr<std::vector<v1::BatchLineSpec>> Resolve(const std::vector<std::string>& names);

  // Creates a batch that restores what is missing since the newest snapshot.
  absl::StatusOr<v1::Batch> Create(const std::vector<v1::BatchLineSpec>& lines);

  absl::StatusOr<v1::Batch> Get(const std::string& batch);
  absl::Status Pause(const std::string& batch);
  absl::Status Resume(const std::string& batch);
  absl::Status Cancel(const std::string& batch);

  // Calls `on_update` for the batch now and whenever it changes, until it has ended: returns that.
  // ABORTED if it waits for consent.
  absl::StatusOr<v1::Batch> Follow(const std::string& batch,
                                   const std::function<void(const v1::Batch&)>& on_update);

  // All lines, with what became of them.
  absl::StatusOr<std::vector<v1::BatchLine>> Lines(const std::string& batch);

  absl::StatusOr<v1::Restore> GetRestore(const std::string& restore);

  // Limits how fast restores may write, in place of all limits before.
  absl::Status Throttle(const v1::Throttle& throttle);

 private:
  static v1::ControlBatchRequest Order(const std::string& batch);

  const std::string store_;
  const std::unique_ptr<v1::BatchService::Stub> batches_;
  const std::unique_ptr<v1::RestoreService::Stub> restores_;
  const std::unique_ptr<v1::StoreService::Stub> stores_;
  const std::unique_ptr<v1::TenantService::Stub> tenants_;
};

// Whether nothing more will happen to the batch by itself.
bool HasEnded(const v1::Batch& batch);

}  // namespace reinstate::bench

#pragma once

#include <chrono>
#include <span>
#include <string>

#include "reinstate/v1/live_store_service.grpc.pb.h"
#include "storage/base/periodic_thread.h"
#include "storage/live/remote/call_group.h"
#include "storage/live/remote/remote_store.h"
#include "storage/live/remote/response_stream.h"
#include "storage/model/streams.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

// The tenant counts of a RemoteStore. The first may be long in coming, so the server is asked
// meanwhile whether it is there: UNAVAILABLE if it has not been heard for a lease.
class RemoteTenantCounts final : public TenantCountStream {
 public:
  // `tenants`: whose rows, at most live_wire::kMaxCountedTenants; empty: everybody's. A server may
  // give those of others too. `stub` outlives the stream.
  RemoteTenantCounts(v1::LiveStoreService::Stub* stub, const RemoteStoreOptions& options,
                     std::span<const TenantId> tenants = {});
  ~RemoteTenantCounts() override;
  RemoteTenantCounts(const RemoteTenantCounts&) = delete;
  RemoteTenantCounts& operator=(const RemoteTenantCounts&) = delete;

  // INTERNAL if the tenants do not ascend.
  absl::StatusOr<bool> Next(TenantCount* count) override;

 private:
  using Tenants = ResponseStream<v1::CountTenantsResponse, v1::TenantRowCount>;

  absl::StatusOr<bool> Read(TenantCount* count);
  void Probe();

  v1::LiveStoreService::Stub* const stub_;
  const RemoteStoreOptions options_;
  CallGroup calls_;
  Tenants tenants_;
  bool any_ = false;
  std::string last_;
  absl::Status status_;
  std::chrono::steady_clock::time_point last_heard_;  // of the probing thread
  PeriodicThread probe_;
};

}  // namespace reinstate

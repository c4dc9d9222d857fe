#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "reinstate/v1/live_store_service.grpc.pb.h"
#include "storage/base/mutex.h"
#include "storage/base/periodic_thread.h"
#include "storage/live/cut.h"
#include "storage/live/remote/call_group.h"
#include "storage/live/remote/remote_store.h"

namespace reinstate {

// The shards of a cut that were read to their end, so that what the cut says of their order is
// checked also across them. Thread-safe.
class ShardRanges {
 public:
  // INTERNAL if the shard's tenants, from `first` to `last`, are not all after those of the shards
  // before it and before those of the shards after it.
  absl::Status Add(int shard, const std::string& first, const std::string& last);

 private:
  struct Range {
    std::string first;
    std::string last;
  };
  Mutex mu_;
  std::map<int, Range> ranges_ ABSL_GUARDED_BY(mu_);
};

// A cut of a RemoteStore. A thread keeps it alive at the server; once that has failed for a lease,
// all that is read from it fails as SESSION_LOST.
class RemoteCut final : public Cut {
 public:
  // `stub` outlives the cut.
  static absl::StatusOr<std::unique_ptr<Cut>> Open(v1::LiveStoreService::Stub* stub,
                                                   const RemoteStoreOptions& options,
                                                   const CutOptions& cut);
  ~RemoteCut() override;

  const CutInfo& info() const override { return info_; }
  int shards() const override { return shards_; }
  absl::StatusOr<std::unique_ptr<TenantRowStream>> OpenShard(int shard) override;
  absl::StatusOr<int64_t> CountRows(uint32_t table) override;
  absl::StatusOr<std::unique_ptr<TenantLabelsStream>> OpenLabels() override;

 private:
  RemoteCut(v1::LiveStoreService::Stub* stub, const RemoteStoreOptions& options, std::string id,
            absl::Duration lease);

  absl::Status TakeInfo(const v1::OpenCutResponse& response, const CutOptions& cut);
  void Keep();

  v1::LiveStoreService::Stub* const stub_;
  const RemoteStoreOptions options_;
  const std::string id_;
  const absl::Duration lease_;
  CutInfo info_;
  int shards_ = 0;
  CallGroup calls_;
  ShardRanges ranges_;
  std::chrono::steady_clock::time_point last_kept_;  // of the thread that keeps it
  std::unique_ptr<PeriodicThread> keeper_;
};

}  // namespace reinstate

#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "storage/base/mutex.h"
#include "storage/live/rocksdb/acknowledged_counts.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

// Which of a tenant's records the application has written since a session's view was taken. Used
// with the tenant's latch held.
class WriteJournal {
 public:
  WriteJournal(size_t max_bytes, size_t max_payload_bytes)
      : max_bytes_(max_bytes), max_payload_bytes_(max_payload_bytes) {}

  void Add(std::string place, size_t payload_bytes);

  // The tenant was changed in a way that no list of places describes.
  void Break() { is_whole_ = false; }

  // False if it does not hold every place that was written.
  bool is_whole() const { return is_whole_; }

  const std::set<std::string>& places() const { return places_; }

 private:
  const size_t max_bytes_;
  const size_t max_payload_bytes_;
  size_t bytes_ = 0;
  size_t payload_bytes_ = 0;
  bool is_whole_ = true;
  std::set<std::string> places_;  // EmbeddedKeyCodec::Place
};

// A lock that is given to those who wait for it in the order in which they came. With an unfair one
// an application that writes without a pause would keep a session from its commit.
class FairLatch {
 public:
  void Lock();
  void Unlock();

 private:
  Mutex mu_;
  CondVar turn_;
  uint64_t next_ticket_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t serving_ ABSL_GUARDED_BY(mu_) = 0;
};

// The latch of each tenant, held for the time of one write: what is done with it held happens as if
// at once for this tenant. Tenants share latches by hash. Unlike a session's lock it is held by the
// application's writes too, and never for long.
//
// Thread-safe.
class TenantLatches {
 public:
  static constexpr uint32_t kShards = AcknowledgedCounts::kShards;

  // Stays the same for ever: counts on disk are kept by shard.
  static uint32_t ShardOf(const TenantId& tenant);

  // Holds the latches of some tenants; takes them in one order, so that holders never wait for each
  // other in a circle.
  class Hold {
   public:
    Hold(TenantLatches* latches, std::span<const TenantId> tenants);
    Hold(TenantLatches* latches, const TenantId& tenant) : Hold(latches, {&tenant, 1}) {}
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

    // The shards that are held, ascending.
    std::span<const uint32_t> shards() const { return shards_; }

   private:
    TenantLatches* const latches_;
    std::vector<uint32_t> shards_;
  };

  // Both with the tenant's latch held. A tenant has at most one journal, since it has at most
  // one session; it is borrowed until SetJournal(tenant, nullptr).
  void SetJournal(const TenantId& tenant, WriteJournal* journal);
  WriteJournal* JournalOf(const TenantId& tenant);

 private:
  struct Shard {
    FairLatch latch;
    std::map<std::string, WriteJournal*> journals;  // with the latch held
  };

  std::array<Shard, kShards> shards_;
};

}  // namespace reinstate

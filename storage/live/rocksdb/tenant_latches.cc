#include "storage/live/rocksdb/tenant_latches.h"

#include <xxhash.h>

#include <algorithm>
#include <utility>

namespace reinstate {

void WriteJournal::Add(std::string place, size_t payload_bytes) {
  if (!is_whole_) {
    return;
  }
  const size_t place_bytes = place.size();
  if (places_.insert(std::move(place)).second) {
    bytes_ += place_bytes;
  }
  payload_bytes_ += payload_bytes;
  if (bytes_ > max_bytes_ || payload_bytes_ > max_payload_bytes_) {
    is_whole_ = false;
    places_.clear();
  }
}

uint32_t TenantLatches::ShardOf(const TenantId& tenant) {
  return static_cast<uint32_t>(XXH3_64bits(tenant.value().data(), tenant.value().size()) % kShards);
}

void FairLatch::Lock() {
  MutexLock lock(&mu_);
  const uint64_t ticket = next_ticket_++;
  while (serving_ != ticket) {
    turn_.Wait(&mu_);
  }
}

void FairLatch::Unlock() {
  MutexLock lock(&mu_);
  ++serving_;
  if (serving_ != next_ticket_) {
    turn_.SignalAll();
  }
}

TenantLatches::Hold::Hold(TenantLatches* latches, std::span<const TenantId> tenants)
    : latches_(latches) {
  shards_.reserve(tenants.size());
  for (const TenantId& tenant : tenants) {
    shards_.push_back(ShardOf(tenant));
  }
  std::sort(shards_.begin(), shards_.end());
  shards_.erase(std::unique(shards_.begin(), shards_.end()), shards_.end());
  for (const uint32_t shard : shards_) {
    latches_->shards_[shard].latch.Lock();
  }
}

TenantLatches::Hold::~Hold() {
  for (const uint32_t shard : shards_) {
    latches_->shards_[shard].latch.Unlock();
  }
}

void TenantLatches::SetJournal(const TenantId& tenant, WriteJournal* journal) {
  auto& journals = shards_[ShardOf(tenant)].journals;
  if (journal == nullptr) {
    journals.erase(tenant.value());
  } else {
    journals.insert_or_assign(tenant.value(), journal);
  }
}

WriteJournal* TenantLatches::JournalOf(const TenantId& tenant) {
  const auto& journals = shards_[ShardOf(tenant)].journals;
  const auto found = journals.find(tenant.value());
  return found == journals.end() ? nullptr : found->second;
}

}  // namespace reinstate

#include "storage/history/tenant_blocks.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "storage/history/key_codec.h"

namespace reinstate {
namespace {

class TenantBlockPolicy : public rocksdb::FlushBlockPolicy {
 public:
  TenantBlockPolicy(std::unique_ptr<rocksdb::FlushBlockPolicy> by_size, size_t least_bytes)
      : by_size_(std::move(by_size)), least_bytes_(least_bytes) {}

  bool Update(const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    const bool ended = TenantEndedBefore({key.data(), key.size()}) && bytes_ >= least_bytes_;
    const bool full = by_size_->Update(key, value);
    if (ended || full) {
      bytes_ = 0;
    }
    bytes_ += key.size() + value.size();
    return ended || full;
  }

 private:
  bool TenantEndedBefore(std::string_view key) {
    if (!tenant_.empty() && key.starts_with(tenant_)) {
      return false;
    }
    tenant_ = KeyCodec::TenantPrefixOf(key);
    return true;
  }

  const std::unique_ptr<rocksdb::FlushBlockPolicy> by_size_;
  const size_t least_bytes_;
  size_t bytes_ = 0;    // in this block
  std::string tenant_;  // that of the key before, as a prefix
};

class TenantBlockPolicyFactory : public rocksdb::FlushBlockPolicyFactory {
 public:
  explicit TenantBlockPolicyFactory(size_t least_bytes) : least_bytes_(least_bytes) {}

  const char* Name() const override { return "TenantBlockPolicyFactory"; }

  rocksdb::FlushBlockPolicy* NewFlushBlockPolicy(
      const rocksdb::BlockBasedTableOptions& table_options,
      const rocksdb::BlockBuilder& data_block_builder) const override {
    const rocksdb::FlushBlockBySizePolicyFactory by_size;
    return new TenantBlockPolicy(
        std::unique_ptr<rocksdb::FlushBlockPolicy>(
            by_size.NewFlushBlockPolicy(table_options, data_block_builder)),
        least_bytes_);
  }

 private:
  const size_t least_bytes_;
};

}  // namespace

std::shared_ptr<rocksdb::FlushBlockPolicyFactory> EndBlocksWithTenants(size_t least_bytes) {
  return std::make_shared<TenantBlockPolicyFactory>(least_bytes);
}

}  // namespace reinstate

#include "storage/history/tenant_blocks.h"

#include <gtest/gtest.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/history/key_codec.h"
#include "tests/support/temp_dir.h"

namespace reinstate {
namespace {

constexpr size_t kBlockBytes = 64 << 10;
constexpr size_t kLeastBytes = 8 << 10;

using Policy = std::shared_ptr<rocksdb::FlushBlockPolicyFactory>;

// A tenant and the bytes of its records.
using Tenant = std::pair<std::string, size_t>;

// How many blocks a table with these tenants has, in their order.
uint64_t Blocks(const std::vector<Tenant>& tenants, Policy policy) {
  const TempDir folder;
  const std::string file = folder.path() + "/records.sst";
  rocksdb::BlockBasedTableOptions table;
  table.block_size = kBlockBytes;
  table.flush_block_policy_factory = std::move(policy);
  rocksdb::Options options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), options);
  EXPECT_TRUE(writer.Open(file).ok());
  const std::string value(1000, 'v');
  for (const auto& [tenant, bytes] : tenants) {
    for (size_t row = 0; row * value.size() < bytes; ++row) {
      const std::string group =
          KeyCodec::RecordGroupKey({1, tenant, 1, absl::StrCat(100'000 + row)});
      EXPECT_TRUE(writer.Put(KeyCodec::Versioned(group, 7), value).ok());
    }
  }
  EXPECT_TRUE(writer.Finish().ok());
  rocksdb::SstFileReader reader(options);
  EXPECT_TRUE(reader.Open(file).ok());
  return reader.GetTableProperties()->num_data_blocks;
}

uint64_t Blocks(const std::vector<Tenant>& tenants) {
  return Blocks(tenants, EndBlocksWithTenants(kLeastBytes));
}

TEST(TenantBlocks, EndWithATenantOnceTheyHoldEnough) {
  const std::vector<Tenant> tenants = {{"a", 10'000}, {"b", 20'000}, {"c", 10'000}};
  EXPECT_EQ(Blocks(tenants), 3U);
  EXPECT_EQ(Blocks(tenants, std::make_shared<rocksdb::FlushBlockBySizePolicyFactory>()), 1U)
      << "as RocksDB ends them by itself";
}

TEST(TenantBlocks, AreSharedBySmallTenants) {
  EXPECT_EQ(Blocks({{"a", 3000}, {"b", 3000}, {"c", 3000}, {"d", 3000}}), 2U);
}

TEST(TenantBlocks, EndWithinATenantWhereTheyAreFull) {
  EXPECT_EQ(Blocks({{"a", 100'000}, {"b", 100'000}}), 4U);
}

TEST(TenantBlocks, TellApartTenantsThatBeginAlike) {
  using std::string_literals::operator""s;
  EXPECT_EQ(Blocks({{"a", 10'000}, {"a\0"s, 10'000}, {"a\0\x01"s, 10'000}, {"ab", 10'000}}), 4U);
}

}  // namespace
}  // namespace reinstate

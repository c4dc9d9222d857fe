#include "storage/history/key_codec.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <tuple>

#include "storage/history/manifest_codec.h"
#include "storage/history/record_codec.h"
#include "storage/history/sealed_value.h"

namespace reinstate {
namespace {

using RecordGroup = KeyCodec::RecordGroup;

// Bytes that are likely to collide: escapes, terminators, prefixes of each other.
std::string HardBytes() {
  const auto byte = rc::gen::element('\x00', '\x01', '\x02', 'a', '\xfe', '\xff');
  return *rc::gen::resize(6, rc::gen::container<std::string>(byte));
}

uint32_t HardNumber() { return *rc::gen::element(0U, 1U, 255U, 256U, 0x7fffffffU, 0xfffffffeU); }

RecordGroup HardGroup() {
  return {.lineage = HardNumber(),
          .tenant = HardBytes(),
          .table = HardNumber(),
          .row_key = HardBytes()};
}

auto Parts(const RecordGroup& group) {
  return std::tie(group.lineage, group.tenant, group.table, group.row_key);
}

RC_GTEST_PROP(KeyCodec, KeepsTheOrderOfTheParts, ()) {
  const RecordGroup a = HardGroup();
  const RecordGroup b = HardGroup();
  RC_ASSERT((KeyCodec::RecordGroupKey(a) < KeyCodec::RecordGroupKey(b)) == (Parts(a) < Parts(b)));
}

RC_GTEST_PROP(KeyCodec, MakesNoGroupAPrefixOfAnother, ()) {
  const RecordGroup a = HardGroup();
  const RecordGroup b = HardGroup();
  RC_PRE(!(a == b));
  RC_ASSERT(!KeyCodec::RecordGroupKey(a).starts_with(KeyCodec::RecordGroupKey(b)));
}

RC_GTEST_PROP(KeyCodec, ParsesWhatItBuilt, ()) {
  const RecordGroup group = HardGroup();
  const auto version = *rc::gen::arbitrary<uint64_t>();
  const std::string key = KeyCodec::Versioned(KeyCodec::RecordGroupKey(group), version);
  std::string_view parsed_group;
  uint64_t parsed_version = 0;
  RecordGroup parsed;
  RC_ASSERT(KeyCodec::SplitVersion(key, &parsed_group, &parsed_version));
  RC_ASSERT(parsed_version == version);
  RC_ASSERT(KeyCodec::ParseRecordGroup(parsed_group, &parsed));
  RC_ASSERT(parsed == group);
}

RC_GTEST_PROP(KeyCodec, PutsNewerVersionsFirst, ()) {
  const std::string group = KeyCodec::RecordGroupKey(HardGroup());
  const auto a = *rc::gen::arbitrary<uint64_t>();
  const auto b = *rc::gen::arbitrary<uint64_t>();
  RC_ASSERT((KeyCodec::Versioned(group, a) < KeyCodec::Versioned(group, b)) == (a > b));
}

RC_GTEST_PROP(KeyCodec, EndsAPrefixAfterAllOfItsKeysAndBeforeAllOthers, ()) {
  const RecordGroup in = HardGroup();
  const RecordGroup other = HardGroup();
  const std::string end =
      KeyCodec::PrefixEnd(KeyCodec::TablePrefix(in.lineage, in.tenant, in.table));
  RC_ASSERT(KeyCodec::Versioned(KeyCodec::RecordGroupKey(in), 0) < end);
  const auto prefix = [](const RecordGroup& group) {
    return std::tie(group.lineage, group.tenant, group.table);
  };
  if (prefix(other) > prefix(in)) {
    RC_ASSERT(KeyCodec::RecordGroupKey(other) >= end);
  }
}

RC_GTEST_PROP(KeyCodec, FindsTheTenantInAKey, ()) {
  const RecordGroup group = HardGroup();
  RC_ASSERT(KeyCodec::TenantPrefixOf(KeyCodec::RecordGroupKey(group)) ==
            KeyCodec::TenantPrefix(group.lineage, group.tenant));
}

RC_GTEST_PROP(KeyCodec, TakesAnyBytesWithoutHarm, ()) {
  const std::string bytes = HardBytes() + HardBytes();
  RecordGroup record;
  if (KeyCodec::ParseRecordGroup(bytes, &record)) {
    RC_ASSERT(KeyCodec::RecordGroupKey(record) == bytes);
    RC_ASSERT(KeyCodec::TenantPrefixOf(bytes) ==
              KeyCodec::TenantPrefix(record.lineage, record.tenant));
  }
  KeyCodec::ManifestGroup manifest;
  if (KeyCodec::ParseManifestGroup(bytes, &manifest)) {
    RC_ASSERT(KeyCodec::TenantPrefix(manifest.lineage, manifest.tenant) == bytes);
  }
  SnapshotId id;
  if (KeyCodec::ParseRootKey(bytes, &id)) {
    RC_ASSERT(KeyCodec::RootKey(id) == bytes);
  }
}

RC_GTEST_PROP(RecordCodec, GivesBackWhatItTook, ()) {
  const std::string key = HardBytes();
  const auto payload = *rc::gen::arbitrary<std::string>();
  const StoredRecord record{.schema_id = *rc::gen::arbitrary<uint32_t>(), .payload = payload};
  std::string value;
  RecordCodec::Encode(key, record, &value);
  const absl::StatusOr<StoredRecord> decoded = RecordCodec::Decode(key, value);
  RC_ASSERT(decoded.ok());
  RC_ASSERT(*decoded == record);
}

RC_GTEST_PROP(RecordCodec, NoticesAFlippedBitInKeyOrValue, ()) {
  std::string key = "k" + HardBytes();
  std::string value;
  const bool tombstone = *rc::gen::arbitrary<bool>();
  const auto payload = *rc::gen::arbitrary<std::string>();
  RecordCodec::Encode(key,
                      {.tombstone = tombstone,
                       .schema_id = tombstone ? 0 : HardNumber(),
                       .payload = tombstone ? std::string_view() : std::string_view(payload)},
                      &value);
  std::string* flipped = *rc::gen::arbitrary<bool>() ? &key : &value;
  const auto at = *rc::gen::inRange<size_t>(0, flipped->size());
  (*flipped)[at] = static_cast<char>((*flipped)[at] ^ (1 << *rc::gen::inRange(0, 8)));
  RC_ASSERT(!RecordCodec::Decode(key, value).ok());
}

TEST(RecordCodec, KeepsATombstoneApartFromAnEmptyPayload) {
  std::string tombstone;
  std::string empty;
  RecordCodec::Encode("key", {.tombstone = true}, &tombstone);
  RecordCodec::Encode("key", {.schema_id = 0, .payload = ""}, &empty);
  EXPECT_TRUE(RecordCodec::Decode("key", tombstone)->tombstone);
  EXPECT_FALSE(RecordCodec::Decode("key", empty)->tombstone);
}

TEST(SealedValue, RefusesAValueUnderAnotherKey) {
  std::string value = "value";
  Seal("key", &value);
  EXPECT_TRUE(Unseal("key", value).ok());
  EXPECT_FALSE(Unseal("other", value).ok());
  EXPECT_FALSE(Unseal("key", "abc").ok());
}

TEST(ManifestCodec, KeepsLabelsAndSums) {
  TenantManifest manifest;
  manifest.tenant = TenantId::FromStored("acme");
  manifest.labels = {"Acme Inc.", "acme.example"};
  Sum sum;
  sum.Add((Uint128{1} << 100) + 7, 12);
  manifest.tables = {{.number = 3, .sum = sum}};
  const absl::StatusOr<ManifestCodec::Manifest> decoded =
      ManifestCodec::Decode("acme", ManifestCodec::Encode(manifest));
  ASSERT_TRUE(decoded.ok());
  EXPECT_TRUE(decoded->exists);
  EXPECT_EQ(decoded->content.labels, manifest.labels);
  ASSERT_EQ(decoded->content.tables.size(), 1U);
  EXPECT_EQ(decoded->content.tables[0].sum, sum);
  EXPECT_FALSE(ManifestCodec::Decode("acme", ManifestCodec::EncodeGone())->exists);
}

}  // namespace
}  // namespace reinstate

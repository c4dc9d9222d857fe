#include "storage/live/rocksdb/embedded_key_codec.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <tuple>

namespace reinstate {
namespace {

using Codec = EmbeddedKeyCodec;
// What a record's key is made of. Tenants have no NUL in practice; the codec takes any bytes.
using Parts = std::tuple<std::string, uint64_t, std::string, std::string>;

std::string KeyOf(const Parts& parts) {
  const auto& [tenant, generation, table, key] = parts;
  return Codec::GenerationPrefix(TenantId::FromStored(tenant), generation) +
         Codec::Place(table, key);
}

RC_GTEST_PROP(EmbeddedKeyCodec, GivesBackTheParts, (const Parts& parts)) {
  const std::string bytes = KeyOf(parts);
  std::string_view rest = bytes;
  Parts parsed;
  RC_ASSERT(Codec::ConsumeGeneration(&rest, &std::get<0>(parsed), &std::get<1>(parsed)));
  RC_ASSERT(Codec::ConsumeTable(&rest, &std::get<2>(parsed)));
  std::get<3>(parsed) = rest;
  RC_ASSERT(parsed == parts);
}

RC_GTEST_PROP(EmbeddedKeyCodec, KeepsTheOrderOfTheParts, (const Parts& a, const Parts& b)) {
  RC_ASSERT((KeyOf(a) < KeyOf(b)) == (a < b));
}

RC_GTEST_PROP(EmbeddedKeyCodec, BoundsAGenerationByTheNextOne,
              (const std::string& tenant, uint64_t generation, const std::string& other,
               const std::string& table, const std::string& key)) {
  RC_PRE(generation < UINT64_MAX);
  const TenantId id = TenantId::FromStored(tenant);
  const std::string begin = Codec::GenerationPrefix(id, generation);
  const std::string end = Codec::GenerationPrefix(id, generation + 1);
  const std::string inside = begin + Codec::Place(table, key);
  RC_ASSERT(begin <= inside && inside < end);
  if (other != tenant) {
    const std::string outside =
        Codec::GenerationPrefix(TenantId::FromStored(other), generation) + Codec::Place(table, key);
    RC_ASSERT(outside < begin || outside >= end);
  }
}

RC_GTEST_PROP(EmbeddedKeyCodec, PutsEveryRecordAfterTheCornerstone,
              (uint64_t generation, const std::string& table, const std::string& key)) {
  const TenantId id = TenantId::FromStored("acme");
  const std::string first = Codec::FirstRecord(id, generation);
  RC_ASSERT(Codec::GenerationPrefix(id, generation) < first);
  RC_ASSERT(first <= Codec::GenerationPrefix(id, generation) + Codec::Place(table, key));
}

RC_GTEST_PROP(EmbeddedKeyCodec, BoundsATableByAfter,
              (const std::string& table, const std::string& key, const std::string& other)) {
  const std::string part = Codec::TablePart(table);
  const std::string place = Codec::Place(table, key);
  RC_ASSERT(part <= place && place < Codec::After(part));
  if (other != table) {
    const std::string outside = Codec::Place(other, key);
    RC_ASSERT(outside < part || outside >= Codec::After(part));
  }
}

RC_GTEST_PROP(EmbeddedKeyCodec, ParsesAnyBytesWithoutHarm, (std::string bytes)) {
  std::string text;
  uint64_t number = 0;
  TenantHead head;
  std::string_view rest = bytes;
  if (Codec::ConsumeGeneration(&rest, &text, &number)) {
    RC_ASSERT(Codec::GenerationPrefix(TenantId::FromStored(text), number) + std::string(rest) ==
              bytes);
  }
  rest = bytes;
  if (Codec::ConsumeTable(&rest, &text)) {
    RC_ASSERT(Codec::Place(text, rest) == bytes);
  }
  if (Codec::ParseRetiredKey(bytes, &text, &number)) {
    RC_ASSERT(Codec::RetiredKey(TenantId::FromStored(text), number) == bytes);
  }
  if (Codec::DecodeHead(bytes, &head)) {
    RC_ASSERT(Codec::EncodeHead(head) == bytes);
  }
}

TEST(EmbeddedKeyCodec, GivesBackHeadsCountsAndRetiredGenerations) {
  TenantHead head;
  ASSERT_TRUE(Codec::DecodeHead(Codec::EncodeHead({.generation = 7, .next_generation = 9}), &head));
  EXPECT_EQ(head, (TenantHead{.generation = 7, .next_generation = 9}));
  EXPECT_FALSE(Codec::DecodeHead(Codec::EncodeHead({.generation = 9, .next_generation = 9}), &head))
      << "a generation that was never given out";

  std::string tenant;
  uint64_t number = 0;
  ASSERT_TRUE(Codec::ParseRetiredKey(Codec::RetiredKey(TenantId::FromStored("acme"), 12), &tenant,
                                     &number));
  EXPECT_EQ(tenant, "acme");
  EXPECT_EQ(number, 12);
  ASSERT_TRUE(Codec::DecodeNumber(Codec::EncodeNumber(1234567), &number));
  EXPECT_EQ(number, 1234567);
}

}  // namespace
}  // namespace reinstate

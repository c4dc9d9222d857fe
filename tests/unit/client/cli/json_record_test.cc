#include "client/cli/json_record.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

TEST(RecordFromJson, TakesTextAsItIs) {
  const auto record = RecordFromJson(
      R"({"tenant": "1001", "table": "issue", "key": "17", "payload": "Bröken \"twice\""})");
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->tenant(), "1001");
  EXPECT_EQ(record->table(), "issue");
  EXPECT_EQ(record->key(), "17");
  EXPECT_EQ(record->payload(), "Bröken \"twice\"");
}

TEST(RecordFromJson, StoresOtherValuesAsCompactJson) {
  const auto record = RecordFromJson(
      R"({"tenant":"t","table":"a","key":"k","payload":{"b": [1, null], "a": "x"}})");
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->payload(), R"({"a":"x","b":[1,null]})");
}

TEST(RecordFromJson, TakesBytesAsBase64) {
  const auto record =
      RecordFromJson(R"({"tenant":"t","table":"a","key_base64":"AP8=","payload_base64":""})");
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->key(), std::string("\0\xff", 2));
  EXPECT_EQ(record->payload(), "");
}

TEST(RecordFromJson, RefusesWhatIsNoRecord) {
  for (const char* line : {
           "", "not json", "[1]", "{}", R"({"tenant":"t"} trailing)",
           R"({"tenant":"t","table":"a","key":"k"})",                                // no payload
           R"({"tenant":"t","table":"a","payload":"p"})",                            // no key
           R"({"tenant":"","table":"a","key":"k","payload":"p"})",                   // empty
           R"({"tenant":7,"table":"a","key":"k","payload":"p"})",                    // not a string
           R"({"tenant":"t","table":"a","key":"k","key_base64":"","payload":"p"})",  // twice
           R"({"tenant":"t","table":"a","key":"k","payload_base64":"?"})",           // not base64
           R"({"tenant":"t","table":"a","key":"k","payload":"p","store":"main"})",   // unknown
           "{\"tenant\":\"\xff\",\"table\":\"a\",\"key\":\"k\",\"payload\":\"p\"}",  // not UTF-8
       }) {
    EXPECT_EQ(ReasonOf(RecordFromJson(line).status()), "INVALID_ARGUMENT") << line;
  }
}

}  // namespace
}  // namespace reinstate

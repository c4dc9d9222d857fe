#include "storage/live/postgres/row_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "storage/model/key_parts.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using ::testing::ElementsAre;

using Row = std::vector<std::optional<std::string>>;

std::string LineOf(const Row& row) {
  std::string line;
  for (size_t i = 0; i < row.size(); ++i) {
    line += i == 0 ? "" : "\t";
    if (row[i].has_value()) {
      AppendCopyField(*row[i], &line);
    } else {
      line += kCopyNull;
    }
  }
  return line;
}

std::string KeyBytes(const std::vector<std::string>& texts) {
  std::string key;
  for (const std::string& text : texts) {
    AppendKeyPart(text, &key);
  }
  return key;
}

TEST(CopyLine, SplitsIntoFieldsEmptyOnesIncluded) {
  std::vector<std::string_view> fields;
  SplitCopyLine("a\t\t\\N\t", &fields);
  EXPECT_THAT(fields, ElementsAre("a", "", "\\N", ""));
  SplitCopyLine("", &fields);
  EXPECT_THAT(fields, ElementsAre(""));
}

TEST(CopyLine, KnowsTheEscapesOfTheServerAndNoOthers) {
  std::string value;
  ASSERT_TRUE(AppendCopyValue(R"(\b\f\n\r\t\v\\N\\.)", &value));
  EXPECT_EQ(value, "\b\f\n\r\t\v\\N\\.");
  for (const char* const field : {"\\", "a\\", "\\x41", "\\101", "\\N", "\\.", "\\q"}) {
    EXPECT_FALSE(AppendCopyValue(field, &value)) << field;
  }
}

TEST(CopyLine, WritesWhatIsAMarkElsewhereAsAValue) {
  for (const std::string value : {"\\N", "\\.", "\t", "\n", "a\\\tb\r\n", ""}) {
    std::string field;
    AppendCopyField(value, &field);
    EXPECT_NE(field, kCopyNull);
    EXPECT_EQ(field.find_first_of("\t\n\r"), std::string::npos);
    std::string read;
    ASSERT_TRUE(AppendCopyValue(field, &read));
    EXPECT_EQ(read, value);
  }
}

TEST(RowCodec, TakesTheKeyInKeyOrderWhereverItsColumnsAre) {
  const RowCodec codec({.columns = 4, .key = {3, 0, 1}});
  Record record;
  ASSERT_THAT(codec.Decode(LineOf({"a\tb", "", "x", "\\d"}), &record), IsOk());
  EXPECT_EQ(record.key.bytes(), KeyBytes({"\\d", "a\tb", ""}));
  EXPECT_EQ(record.payload, "a\\tb\t\tx\t\\\\d");
  EXPECT_THAT(codec.KeyTexts(record.key).value(), ElementsAre("\\d", "a\tb", ""));
  EXPECT_EQ(codec.KeyOf(record.payload).value(), record.key);
}

TEST(RowCodec, TakesTheOwnerOffTheFront) {
  const RowCodec codec({.columns = 2, .key = {0}});
  Record record;
  std::string owner = "left over";
  ASSERT_THAT(codec.DecodeOwned("ac\\\\me\t1\t\\N", &owner, &record), IsOk());
  EXPECT_EQ(owner, "ac\\me");
  EXPECT_EQ(record.payload, "1\t\\N");
  ASSERT_THAT(codec.DecodeOwned("\\N\t2\tx", &owner, &record), IsOk());
  EXPECT_EQ(owner, "");
  EXPECT_EQ(record.key.bytes(), KeyBytes({"2"}));
}

TEST(RowCodec, RefusesTheEmptyTextAsAnOwner) {
  const RowCodec codec({.columns = 1, .key = {0}});
  Record record;
  std::string owner;
  EXPECT_THAT(codec.DecodeOwned("\t1", &owner, &record), FailsWith(Reason::kTenantIdInvalid));
}

TEST(RowCodec, TakesHashAndOrdinalAsTheKeyOfATableWithoutOne) {
  const RowCodec codec({.columns = 2, .key = {}});
  const std::string hash = "0123456789abcdef0123456789abcdef";
  Record record;
  std::string owner;
  ASSERT_THAT(codec.DecodeOwned("acme\t" + hash + "\t0000000002\tx\ty", &owner, &record), IsOk());
  EXPECT_EQ(record.payload, "x\ty");
  EXPECT_THAT(codec.KeyTexts(record.key).value(), ElementsAre(hash, "0000000002"));
  EXPECT_THAT(codec.Decode("x\ty", &record), FailsWith(Reason::kCorrupt));
  EXPECT_THAT(codec.Decode(hash + "\t2\tx\ty", &record), FailsWith(Reason::kCorrupt));
}

TEST(RowCodec, RefusesLinesThatAreNotOfTheTable) {
  const RowCodec codec({.columns = 2, .key = {1}});
  Record record;
  EXPECT_THAT(codec.Decode("1", &record), FailsWith(Reason::kCorrupt));
  EXPECT_THAT(codec.Decode("1\t2\t3", &record), FailsWith(Reason::kCorrupt));
  EXPECT_THAT(codec.Decode("1\t\\N", &record), FailsWith(Reason::kCorrupt));
  EXPECT_THAT(codec.Decode("1\ta\\q", &record), FailsWith(Reason::kCorrupt));
}

TEST(RowCodec, CountsTheFieldsOfLinesOfAnyLength) {
  for (const int columns : {2, 255, 256, 257, 511, 512, 1600}) {
    const RowCodec codec({.columns = columns, .key = {0}});
    for (const size_t filler_bytes : {0, 1, 1000}) {
      const std::string filler(filler_bytes, 'x');
      std::string line = "1";
      for (int i = 1; i < columns; ++i) {
        line.append("\t").append(filler);
      }
      Record record;
      EXPECT_THAT(codec.Decode(line, &record), IsOk()) << columns;
      EXPECT_THAT(codec.Decode(line + "\t", &record), FailsWith(Reason::kCorrupt)) << columns;
      line.resize(line.rfind('\t'));
      EXPECT_THAT(codec.Decode(line, &record), FailsWith(Reason::kCorrupt)) << columns;
    }
  }
}

TEST(RowCodec, RefusesKeysOfAnotherShape) {
  const RowCodec codec({.columns = 2, .key = {0, 1}});
  EXPECT_THAT(codec.KeyTexts(RowKey(KeyBytes({"1"}))), FailsWith(Reason::kCorrupt));
  EXPECT_THAT(codec.KeyTexts(RowKey(KeyBytes({"1", "2", "3"}))), FailsWith(Reason::kCorrupt));
  EXPECT_THAT(codec.KeyTexts(RowKey("garbage")), FailsWith(Reason::kCorrupt));
}

TEST(RowCodec, NamesNoValuesInItsErrors) {
  const RowCodec codec({.columns = 2, .key = {0}});
  Record record;
  const absl::Status status = codec.Decode("secret\\q\tsecret", &record);
  EXPECT_EQ(std::string(status.message()).find("secret"), std::string::npos);
}

std::optional<std::string> AnyValue() {
  if (*rc::gen::inRange(0, 6) == 0) {
    return std::nullopt;
  }
  return *rc::gen::container<std::string>(
      rc::gen::elementOf(std::string("\\N.\t\n\r\b\f\v'\"{},ab1\xc3\xa4\x7f")));
}

RC_GTEST_PROP(RowCodec, GivesBackEveryValue, ()) {
  Row row(*rc::gen::inRange<size_t>(1, 6));
  for (auto& value : row) {
    value = AnyValue();
  }
  std::vector<std::string_view> fields;
  const std::string line = LineOf(row);
  SplitCopyLine(line, &fields);
  RC_ASSERT(fields.size() == row.size());
  for (size_t i = 0; i < row.size(); ++i) {
    RC_ASSERT((fields[i] == kCopyNull) == !row[i].has_value());
    std::string value;
    RC_ASSERT(!row[i].has_value() || (AppendCopyValue(fields[i], &value) && value == *row[i]));
  }
}

// The order of keys is that of the server's ORDER BY k1 COLLATE "C", k2 COLLATE "C".
RC_GTEST_PROP(RowCodec, OrdersKeysAsTheirTextsColumnByColumn, ()) {
  const RowCodec codec({.columns = 2, .key = {1, 0}});
  std::vector<std::string> texts[2];
  RowKey keys[2];
  for (int i = 0; i < 2; ++i) {
    const Row row = {AnyValue().value_or(""), AnyValue().value_or("")};
    texts[i] = {*row[1], *row[0]};
    keys[i] = *codec.KeyOf(LineOf(row));
  }
  RC_ASSERT((keys[0] < keys[1]) == (texts[0] < texts[1]));
  RC_ASSERT((keys[0] == keys[1]) == (texts[0] == texts[1]));
}

}  // namespace
}  // namespace reinstate

#include "storage/model/row_values.h"

#include <gtest/gtest.h>

#include <string>

#include "storage/base/error.h"
#include "storage/model/key_parts.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

TableSchema KeyValue() {
  return {.identity = "issue",
          .name = "issue",
          .columns = {{.name = "key", .type = "bytes", .in_key = true},
                      {.name = "value", .type = "bytes"}}};
}

// The key is (b, a).
TableSchema Relational() {
  return {.identity = "17",
          .name = "public.issue",
          .columns = {{.name = "a", .type = "integer", .in_key = true},
                      {.name = "b", .type = "text", .in_key = true},
                      {.name = "c", .type = "text"}}};
}

const std::vector<size_t> kKeyOrder = {1, 0};

std::string KeyOf(const std::vector<std::string>& texts) {
  std::string key;
  for (const std::string& text : texts) {
    AppendKeyPart(text, &key);
  }
  return key;
}

TEST(RowValues, TakesARowApartAndPutsItTogetherAgain) {
  const Record record{.key = RowKey(KeyOf({"x\ty", "1"})), .payload = "1\tx\\ty\t\\N"};
  RowValues row;
  ASSERT_THAT(SplitRecord(Relational(), record, &row), IsOk());
  EXPECT_EQ(row.key, std::vector<std::string>({"x\ty", "1"}));
  EXPECT_EQ(row.values[1], "x\ty");
  EXPECT_EQ(row.values[2], std::nullopt);

  for (const auto& order : {kKeyOrder, std::vector<size_t>()}) {
    const auto joined = JoinRecord(Relational(), order, row);
    ASSERT_THAT(joined, IsOk());
    EXPECT_EQ(*joined, record);
  }
  row.key.clear();
  const auto by_values = JoinRecord(Relational(), kKeyOrder, row);
  ASSERT_THAT(by_values, IsOk());
  EXPECT_EQ(*by_values, record);
}

TEST(RowValues, KeepsTheBytesOfAKeyValueRecord) {
  const Record record{.key = RowKey(std::string("\0\xff", 2)), .payload = "\t\\N\xff"};
  RowValues row;
  ASSERT_THAT(SplitRecord(KeyValue(), record, &row), IsOk());
  const auto joined = JoinRecord(KeyValue(), {}, row);
  ASSERT_THAT(joined, IsOk());
  EXPECT_EQ(*joined, record);
}

TEST(RowValues, RefusesARecordThatIsNoneOfTheTable) {
  RowValues row;
  for (const char* payload : {"1\tx", "1\tx\ty\tz", "1\tx\t\\q"}) {
    const Record record{.key = RowKey(KeyOf({"x", "1"})), .payload = payload};
    EXPECT_TRUE(HasReason(SplitRecord(Relational(), record, &row), Reason::kCorrupt)) << payload;
  }
  const Record bad_key{.key = RowKey("x"), .payload = "1\tx\ty"};
  EXPECT_TRUE(HasReason(SplitRecord(Relational(), bad_key, &row), Reason::kCorrupt));
}

TEST(RowValues, RefusesARowWhoseKeyIsNotSure) {
  const RowValues good{.key = {}, .values = {"1", "x", std::nullopt}};
  EXPECT_THAT(JoinRecord(Relational(), kKeyOrder, good), IsOk());
  const auto expect_refused = [](const std::vector<size_t>& order, const RowValues& row) {
    EXPECT_TRUE(HasReason(JoinRecord(Relational(), order, row).status(), Reason::kInvalidArgument));
  };
  expect_refused({}, good);  // the order of the key is not known
  expect_refused({}, {.key = {"x", "2"}, .values = good.values});
  expect_refused(kKeyOrder, {.key = {"1", "x"}, .values = good.values});
  expect_refused(kKeyOrder, {.key = {}, .values = {"1", std::nullopt, "y"}});
  expect_refused(kKeyOrder, {.key = {}, .values = {"1", "x"}});
  expect_refused(kKeyOrder, {.key = {}, .values = {"1", "x", "\xff"}});
  expect_refused(kKeyOrder, {.key = {}, .values = {"1", "x", std::string("\0", 1)}});
}

TEST(RowValues, TakesARowOfATableWithoutKeyByItsHash) {
  TableSchema schema = Relational();
  schema.columns[0].in_key = false;
  schema.columns[1].in_key = false;
  RowValues row{.key = {std::string(32, 'a'), "0000000001"}, .values = {"1", "x", "y"}};
  EXPECT_THAT(JoinRecord(schema, {}, row), IsOk());
  row.key.pop_back();
  EXPECT_TRUE(HasReason(JoinRecord(schema, {}, row).status(), Reason::kInvalidArgument));
}

}  // namespace
}  // namespace reinstate

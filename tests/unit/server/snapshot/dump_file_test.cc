#include "server/snapshot/dump_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace reinstate {
namespace {

using ::testing::ElementsAre;

DumpHeader Header() {
  DumpHeader header;
  header.instant = absl::FromUnixMicros(1'700'000'000'123'456);
  header.position = "monday";
  header.map.tables = {
      {.schema = {.identity = "17",
                  .name = "issue",
                  .columns = {{.name = "id", .type = "integer", .in_key = true},
                              {.name = "title", .type = "text"}}},
       .relation = Relation::kOwned,
       .how = "said"},
      {.schema = {.identity = "18", .name = "empty"}, .relation = Relation::kOwned, .how = "said"}};
  return header;
}

TenantRow Row(const std::string& tenant, const std::string& key, const std::string& payload) {
  return {.tenant = tenant, .table = 0, .record = {.key = RowKey(key), .payload = payload}};
}

// Everything that a cut gives, as texts; or the first error.
absl::StatusOr<std::vector<std::string>> ReadAll(const std::string& path) {
  auto cut = DumpCut::Open(path);
  if (!cut.ok()) {
    return cut.status();
  }
  std::vector<std::string> all = {
      absl::StrCat((*cut)->info().position, " ", (*cut)->info().map.tables.size())};
  auto rows = (*cut)->OpenShard(0);
  auto labels = (*cut)->OpenLabels();
  if (!rows.ok() || !labels.ok()) {
    return rows.ok() ? labels.status() : rows.status();
  }
  TenantRow row;
  absl::StatusOr<bool> more = (*rows)->Next(&row);
  for (; more.ok() && *more; more = (*rows)->Next(&row)) {
    all.push_back(absl::StrCat(row.tenant, "|", row.record.key.bytes(), "|", row.record.payload));
  }
  TenantLabels label;
  for (more.ok() ? more = (*labels)->Next(&label) : more; more.ok() && *more;
       more = (*labels)->Next(&label)) {
    all.push_back(absl::StrCat(label.tenant.value(), "=", label.labels.front()));
  }
  if (!more.ok()) {
    return more.status();
  }
  return all;
}

class DumpFile : public testing::Test {
 protected:
  void Write() {
    auto writer = DumpFileWriter::Create(path_, Header());
    ASSERT_THAT(writer, IsOk());
    EXPECT_THAT((*writer)->Add(Row("b", std::string("1\0", 2), "first")), IsOk());
    EXPECT_THAT((*writer)->AddLabels({TenantId::FromStored("b"), {"Beta", "b-corp"}}), IsOk());
    EXPECT_THAT((*writer)->Add(Row("a", "1", "second")), IsOk());
    EXPECT_THAT((*writer)->Add(Row("", "1", "")), IsOk());
    EXPECT_THAT((*writer)->AddLabels({TenantId::FromStored("a"), {"Alpha"}}), IsOk());
    EXPECT_TRUE(HasReason((*writer)->AddLabels({TenantId::FromStored("a"), {"Again"}}),
                          Reason::kInvalidArgument));
    EXPECT_THAT((*writer)->Finish({3, 0}), IsOk());
    (*writer)->Keep();
  }

  const TempDir folder_;
  const std::string path_ = folder_.path() + "/a.dump";
};

TEST_F(DumpFile, GivesWhatWasWrittenWithLabelsInOrder) {
  Write();
  const auto all = ReadAll(path_);
  ASSERT_THAT(all, IsOk());
  EXPECT_THAT(*all, ElementsAre("monday 2", std::string("b|1\0|first", 10), "a|1|second", "|1|",
                                "a=Alpha", "b=Beta"));
  const auto cut = DumpCut::Open(path_);
  ASSERT_THAT(cut, IsOk());
  EXPECT_EQ((*cut)->info().instant, Header().instant);
  EXPECT_EQ((*cut)->info().map.tables[0].schema, Header().map.tables[0].schema);
  EXPECT_EQ(*(*cut)->CountRows(0), 3);
  EXPECT_EQ(*(*cut)->CountRows(1), 0);
}

TEST_F(DumpFile, GoesAwayUnlessItIsKept) {
  {
    auto writer = DumpFileWriter::Create(path_, Header());
    ASSERT_THAT(writer, IsOk());
    EXPECT_THAT((*writer)->Finish({0, 0}), IsOk());
    EXPECT_TRUE(std::filesystem::exists(path_));
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(DumpFile, NoticesEveryFlippedByteAndEveryMissingEnd) {
  Write();
  const auto whole = ReadAll(path_);
  ASSERT_THAT(whole, IsOk());
  std::ostringstream text;
  text << std::ifstream(path_, std::ios::binary).rdbuf();
  const std::string bytes = text.str();
  const auto read = [&](const std::string& changed) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << changed;
    return ReadAll(path_);
  };
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    EXPECT_TRUE(HasReason(read(changed).status(), Reason::kCorrupt)) << "byte " << i;
    EXPECT_TRUE(HasReason(read(bytes.substr(0, i)).status(), Reason::kCorrupt)) << "cut at " << i;
  }
  EXPECT_EQ(*read(bytes), *whole);
}

}  // namespace
}  // namespace reinstate

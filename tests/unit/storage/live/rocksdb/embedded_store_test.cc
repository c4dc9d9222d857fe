// What is particular to the embedded store; tests/conformance has what all stores must do.

#include <rocksdb/db.h>

#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/live/rocksdb/embedded_key_codec.h"
#include "tests/unit/storage/live/rocksdb/embedded_store_fixture.h"

namespace reinstate {
namespace {

class EmbeddedStoreTest : public EmbeddedStoreFixture {
 protected:
  // Opens the database below with all its families, calls `look`, and closes it.
  template <typename Look>
  void LookBelow(Look look) {
    store_ = nullptr;
    std::vector<std::string> names;
    ASSERT_TRUE(rocksdb::DB::ListColumnFamilies({}, options_.path, &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const std::string& name : names) {
      families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    }
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open({}, options_.path, families, &handles, &db).ok());
    std::map<std::string, rocksdb::ColumnFamilyHandle*> by_name;
    for (size_t i = 0; i < names.size(); ++i) {
      by_name[names[i]] = handles[i];
    }
    look(db, by_name);
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      db->DestroyColumnFamilyHandle(handle);
    }
    delete db;
  }

  // How many records there are below, of all generations.
  int64_t RecordsBelow() {
    int64_t records = 0;
    LookBelow([&](rocksdb::DB* db, auto& families) {
      const std::unique_ptr<rocksdb::Iterator> all(db->NewIterator({}, families["records"]));
      for (all->SeekToFirst(); all->Valid(); all->Next()) {
        ++records;
      }
    });
    return records;
  }
};

TEST_F(EmbeddedStoreTest, IsOpenedByOneAtATime) {
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(EmbeddedStore::Open(options_), FailsWith(Reason::kDataDirectoryInUse));
  EXPECT_THAT(Put("1", "one"), IsOk()) << "and the first goes on";
}

TEST_F(EmbeddedStoreTest, KeepsItsIdentityAndForgetsNothing) {
  ASSERT_THAT(Open(), IsOk());
  const std::string id = store_->Identity()->id;
  ASSERT_THAT(Put("1", "one", /*sync=*/false), IsOk());
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(store_->Identity()->id, id);
  EXPECT_EQ(store_->Identity()->address, options_.path);
  EXPECT_EQ(Rows().size(), 1);
  EXPECT_NE(store_->Catalog()->FindByName("issue"), nullptr);
}

TEST_F(EmbeddedStoreTest, RefusesAnotherFormat) {
  ASSERT_THAT(Open(), IsOk());
  LookBelow([](rocksdb::DB* db, auto& families) {
    ASSERT_TRUE(db->Put({}, families["default"], "f", "2").ok());
  });
  EXPECT_THAT(Open(), FailsWith(Reason::kUnsupported));
}

TEST_F(EmbeddedStoreTest, RefusesRecordsBeyondItsLimitsAndWritesNoneOfThem) {
  ASSERT_THAT(Open(), IsOk());
  const RecordWrite good{.tenant = tenant_, .table = "issue", .key = RowKey("1"), .payload = "one"};
  RecordWrite bad = good;
  bad.key = RowKey(std::string(RecordStore::kMaxKeyBytes + 1, 'k'));
  EXPECT_THAT(store_->Write(std::vector{good, bad}, true), FailsWith(Reason::kTooLarge));
  bad = good;
  bad.payload = std::string(RecordStore::kMaxPayloadBytes + 1, 'p');
  EXPECT_THAT(store_->Write(std::vector{good, bad}, true), FailsWith(Reason::kTooLarge));
  for (const std::string& table : {std::string(), std::string(256, 't'), std::string("\xff")}) {
    bad = good;
    bad.table = table;
    EXPECT_THAT(store_->Write(std::vector{good, bad}, true), FailsWith(Reason::kInvalidArgument));
  }
  bad = good;
  bad.tenant = TenantId::Ownerless();
  EXPECT_THAT(store_->Write(std::vector{good, bad}, true), FailsWith(Reason::kTenantIdInvalid));
  EXPECT_TRUE(Rows().empty());
  EXPECT_TRUE(store_->Catalog()->tables.empty());

  RecordWrite largest = good;
  largest.key = RowKey(std::string(RecordStore::kMaxKeyBytes, '\0'));
  EXPECT_THAT(store_->Write({&largest, 1}, true), IsOk());
}

TEST_F(EmbeddedStoreTest, RemovesOldGenerationsInTheBackground) {
  options_.max_batch_bytes = 0;
  ASSERT_THAT(Open(), IsOk());
  for (int i = 0; i < 3000; ++i) {
    ASSERT_THAT(Put("key " + std::to_string(i), "payload", false), IsOk());
  }
  for (int round = 0; round < 3; ++round) {
    auto session = Begin();
    ASSERT_THAT(session->Apply(Insert("new " + std::to_string(round), "x")), IsOk());
    ASSERT_THAT(SealAndCommit(session.get()), IsOk());
    ASSERT_THAT(session->Begin(), IsOk());
    ASSERT_THAT(session->Apply(Insert("abandoned", "x")), IsOk());
  }
  store_->WaitUntilOldGenerationsAreRemoved();
  EXPECT_EQ(Rows().size(), 3003);
  EXPECT_EQ(RecordsBelow(), 3003 + 1) << "and one cornerstone";
}

TEST_F(EmbeddedStoreTest, GoesOnRemovingWhatAnEarlierProcessLeft) {
  FaultPoints faults;
  faults.Arm("live.remove_generation",
             [] { return MakeError(Reason::kUnavailable, "not in this process"); });
  options_.faults = &faults;
  options_.max_batch_bytes = 0;
  ASSERT_THAT(Open(), IsOk());
  for (int i = 0; i < 2500; ++i) {
    ASSERT_THAT(Put("key " + std::to_string(i), "payload", false), IsOk());
  }
  auto session = Begin();
  ASSERT_THAT(session->Apply(Insert("new", "x")), IsOk());
  ASSERT_THAT(SealAndCommit(session.get()), IsOk());
  session = nullptr;
  EXPECT_EQ(RecordsBelow(), 2500 + 2501 + 1) << "both generations are there, and a cornerstone";

  options_.faults = nullptr;
  ASSERT_THAT(Open(), IsOk());
  store_->WaitUntilOldGenerationsAreRemoved();
  EXPECT_EQ(Rows().size(), 2501);
  EXPECT_EQ(RecordsBelow(), 2501 + 1);
}

TEST_F(EmbeddedStoreTest, KeepsAScanRightWhileItsGenerationIsRemoved) {
  ASSERT_THAT(Open(), IsOk());
  for (int i = 0; i < 5000; ++i) {
    ASSERT_THAT(Put("key " + std::to_string(i), "payload", false), IsOk());
  }
  auto scan = store_->Scan(tenant_, "issue", RowKey());
  ASSERT_THAT(scan, IsOk());
  EXPECT_EQ(*store_->DeleteTenant(tenant_), 5000);
  store_->WaitUntilOldGenerationsAreRemoved();
  int rows = 0;
  Record record;
  while (*(*scan)->Next(&record)) {
    ++rows;
  }
  EXPECT_EQ(rows, 5000);
  EXPECT_TRUE(Rows().empty());
}

TEST_F(EmbeddedStoreTest, BuildsAGenerationOnlyForLargeChanges) {
  options_.max_batch_bytes = 10'000;
  FaultPoints faults;
  int generations = 0;
  faults.Arm("live.new_generation", [&] {
    ++generations;
    return absl::OkStatus();
  });
  options_.faults = &faults;
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(Put("1", "one"), IsOk());
  auto session = Begin();
  ASSERT_THAT(session->Apply(Insert("2", std::string(5000, 'x'))), IsOk());
  ASSERT_THAT(SealAndCommit(session.get()), IsOk());
  EXPECT_EQ(generations, 0);
  ASSERT_THAT(session->Begin(), IsOk());
  for (int i = 3; i < 9; ++i) {
    ASSERT_THAT(session->Apply(Insert(std::to_string(i), std::string(5000, 'x'))), IsOk());
  }
  ASSERT_THAT(SealAndCommit(session.get()), IsOk());
  EXPECT_EQ(generations, 1);
  EXPECT_EQ(Rows().size(), 8);
}

TEST_F(EmbeddedStoreTest, CountsWhatFewRowsATenantHasWhileTheyAreInMemory) {
  ASSERT_THAT(Open(), IsOk());
  for (int tenant = 0; tenant < 300; ++tenant) {
    const TenantId id = *TenantId::Parse(absl::StrCat("t", tenant));
    for (int row = 0; row < 1 + tenant % 7; ++row) {
      const RecordWrite write{
          .tenant = id, .table = "issue", .key = RowKey(absl::StrCat(row)), .payload = "payload"};
      ASSERT_THAT(store_->Write({&write, 1}, /*sync=*/false), IsOk());
    }
  }
  for (int tenant = 0; tenant < 300; ++tenant) {
    const auto size = store_->EstimateTenant(*TenantId::Parse(absl::StrCat("t", tenant)));
    ASSERT_THAT(size, IsOk());
    EXPECT_EQ(size->rows, 1 + tenant % 7) << "t" << tenant;
    EXPECT_GT(size->bytes, size->rows * 7);
  }
}

TEST_F(EmbeddedStoreTest, EstimatesWhatManyRowsATenantHasInMemoryAndInFiles) {
  options_.write_buffer_bytes = 12 << 20;
  ASSERT_THAT(Open(), IsOk());
  constexpr int kRows = 15'000;
  for (int row = 0; row < kRows; ++row) {
    ASSERT_THAT(Put(absl::StrCat(row), std::string(1000, 'x'), /*sync=*/false), IsOk());
  }
  const auto size = store_->EstimateTenant(tenant_);
  ASSERT_THAT(size, IsOk());
  EXPECT_GT(size->rows, kRows / 3);
  EXPECT_LT(size->rows, kRows * 3);
}

TEST_F(EmbeddedStoreTest, GivesUpASessionWhoseTenantIsWrittenToWithoutEnd) {
  for (const bool by_payload : {false, true}) {
    options_.max_journal_bytes = by_payload ? 1 << 20 : 1000;
    options_.max_journal_payload_bytes = by_payload ? 1000 : 1 << 20;
    ASSERT_THAT(Open(), IsOk());
    ASSERT_THAT(Put("0", "zero"), IsOk());
    auto session = Begin();
    for (int i = 0; i < 200; ++i) {
      ASSERT_THAT(Put("key " + std::to_string(i % (by_payload ? 3 : 200)), "0123456789"), IsOk());
    }
    ASSERT_THAT(session->Apply(Insert("new", "x")), IsOk());
    EXPECT_THAT(SealAndCommit(session.get()), FailsWith(Reason::kLiveChanged));
    ASSERT_THAT(session->Rollback(), IsOk());
    ASSERT_THAT(session->Begin(), IsOk());
    ASSERT_THAT(session->Apply(Insert("new " + std::to_string(by_payload), "x")), IsOk());
    EXPECT_THAT(SealAndCommit(session.get()), IsOk());
  }
}

TEST_F(EmbeddedStoreTest, CountsWhatItReadsWhereGenerationsWereBuiltOfFiles) {
  options_.max_batch_bytes = 0;
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(Put("1", "one"), IsOk());
  auto session = Begin();
  ASSERT_THAT(session->Apply(Insert("2", "two")), IsOk());
  ASSERT_THAT(SealAndCommit(session.get()), IsOk());
  const auto cut = store_->OpenCut({});
  ASSERT_THAT(cut, IsOk());
  EXPECT_EQ(*(*cut)->CountRows(0), 2);
  auto shard = (*cut)->OpenShard(0);
  TenantRow row;
  ASSERT_TRUE(*(*shard)->Next(&row));
  EXPECT_EQ(row.record.key.bytes(), "1");
  ASSERT_TRUE(*(*shard)->Next(&row));
  EXPECT_EQ(row.record.key.bytes(), "2");
  EXPECT_FALSE(*(*shard)->Next(&row)) << "the cornerstone is no record";
  const auto counts = store_->CountTenants();
  TenantCount count;
  ASSERT_TRUE(*(*counts)->Next(&count));
  EXPECT_EQ(count.rows, 2);
  EXPECT_THAT(*store_->CountRowsOf({{count.tenant}}), testing::ElementsAre(2));
}

TEST_F(EmbeddedStoreTest, HidesAGenerationFromCutsThatWereOpenBefore) {
  options_.max_batch_bytes = 0;
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(Put("1", "one"), IsOk());
  const auto cut = store_->OpenCut({});
  auto session = Begin();
  ASSERT_THAT(session->Apply(Insert("2", "two")), IsOk());
  ASSERT_THAT(SealAndCommit(session.get()), IsOk());
  EXPECT_EQ(*(*cut)->CountRows(0), 1);
}

// Changes in any order, tables with the same keys, and reading in between.
TEST_F(EmbeddedStoreTest, BuildsTheSameWhateverTheOrderOfTheChanges) {
  for (const size_t max_batch_bytes : {size_t{0}, size_t{300}, size_t{1} << 20}) {
    SCOPED_TRACE(max_batch_bytes);
    options_.max_batch_bytes = max_batch_bytes;
    options_.path = folder_.path() + "/store of " + std::to_string(max_batch_bytes);
    ASSERT_THAT(Open(), IsOk());
    std::map<std::string, std::string> expected;
    for (int i = 0; i < 60; i += 2) {
      expected[std::to_string(100 + i)] = "old";
      ASSERT_THAT(Put(std::to_string(100 + i), "old"), IsOk());
    }
    auto session = Begin();
    for (int i = 0; i < 60; i += 6) {
      expected.erase(std::to_string(100 + i));
      Change change = Insert(std::to_string(100 + i), "");
      change.kind = ChangeKind::kDelete;
      change.old_payload = "old";
      ASSERT_THAT(session->Apply(change), IsOk());
    }
    for (int i = 2; i < 60; i += 6) {
      expected[std::to_string(100 + i)] = "new";
      Change change = Insert(std::to_string(100 + i), "new");
      change.kind = ChangeKind::kReplace;
      change.old_payload = "old";
      ASSERT_THAT(session->Apply(change), IsOk());
    }
    const std::vector<RowKey> keys = {RowKey("100"), RowKey("102"), RowKey("104")};
    const auto states = session->LookUp("issue", keys);
    ASSERT_THAT(states, IsOk());
    EXPECT_EQ((*states)[0].payload, std::nullopt);
    EXPECT_EQ((*states)[1].payload, "new");
    EXPECT_EQ((*states)[2].payload, "old");
    for (int i = 59; i > 0; i -= 2) {
      expected[std::to_string(100 + i)] = "added";
      ASSERT_THAT(session->Apply(Insert(std::to_string(100 + i), "added")), IsOk());
    }
    ASSERT_THAT(SealAndCommit(session.get()), IsOk());
    session = nullptr;
    EXPECT_EQ(Rows(), expected);
    ASSERT_THAT(Open(), IsOk());
    EXPECT_EQ(Rows(), expected);
  }
}

// Files that are taken over lie on the same levels as those that memtables and compactions make.
TEST_F(EmbeddedStoreTest, KeepsTheNewestWhereFilesMeetWritesAndCompactions) {
  options_.max_batch_bytes = 1000;
  options_.write_buffer_bytes = 192 << 10;
  ASSERT_THAT(Open(), IsOk());
  std::map<std::string, std::string> expected;
  const auto put = [&](const std::string& key, const std::string& payload) {
    expected[key] = payload;
    return Put(key, payload, /*sync=*/false);
  };
  for (int round = 0; round < 60; ++round) {
    const std::string name = std::to_string(round);
    for (int i = 0; i < 150; ++i) {
      ASSERT_THAT(put(std::to_string(i * 7 % 400), name + std::string(200, 'p')), IsOk());
    }
    auto session = Begin();
    for (int i = 0; i < 20; ++i) {
      const std::string key = "s" + std::to_string(1000 + (round * 20) + i);
      expected[key] = name + std::string(300, 's');
      ASSERT_THAT(session->Apply(Insert(key, expected[key])), IsOk());
    }
    ASSERT_THAT(put("meanwhile " + name, "journaled"), IsOk());
    ASSERT_THAT(SealAndCommit(session.get()), IsOk());
    if (round % 10 == 9) {
      ASSERT_EQ(Rows(), expected);
    }
  }
  store_->WaitUntilOldGenerationsAreRemoved();
  EXPECT_EQ(Rows(), expected);
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(Rows(), expected);
}

TEST_F(EmbeddedStoreTest, ShowsATenantWhoseHeadWasLostInTheCount) {
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(Put("1", "one"), IsOk());
  ASSERT_THAT(Put("2", "two"), IsOk());
  LookBelow([](rocksdb::DB* db, auto& families) {
    ASSERT_TRUE(db->Delete({}, families["heads"], "acme").ok());
  });
  ASSERT_THAT(Open(), IsOk());
  const auto cut = store_->OpenCut({});
  ASSERT_THAT(cut, IsOk());
  auto shard = (*cut)->OpenShard(0);
  TenantRow row;
  EXPECT_FALSE(*(*shard)->Next(&row)) << "the shard knows no such tenant";
  EXPECT_EQ(*(*cut)->CountRows(0), 2) << "the count does not go by heads";
}

TEST_F(EmbeddedStoreTest, MakesLabelsPrintable) {
  ASSERT_THAT(Open(), IsOk());
  const std::vector<RecordWrite> labels = {
      {.tenant = tenant_, .table = "tenant", .key = RowKey("1"), .payload = "Caf\xc3\xa9"},
      {.tenant = tenant_, .table = "tenant", .key = RowKey("2"), .payload = "Caf\xe9"},
      {.tenant = tenant_,
       .table = "tenant",
       .key = RowKey("3"),
       .payload = std::string(5000, 'x')}};
  ASSERT_THAT(store_->Write(labels, true), IsOk());
  const auto cut = store_->OpenCut({});
  auto stream = (*cut)->OpenLabels();
  TenantLabels found;
  ASSERT_TRUE(*(*stream)->Next(&found));
  ASSERT_EQ(found.labels.size(), 3);
  EXPECT_EQ(found.labels[0], "Caf\xc3\xa9");
  EXPECT_EQ(found.labels[1], "Caf\xef\xbf\xbd");
  EXPECT_LT(found.labels[2].size(), 1100);
  for (const std::string& label : found.labels) {
    EXPECT_TRUE(IsUtf8(label));
  }
}

}  // namespace
}  // namespace reinstate

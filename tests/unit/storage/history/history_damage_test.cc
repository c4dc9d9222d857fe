// What the history does when the machine crashes or the disk is full, and at sequence number 0.

#include <rocksdb/db.h>
#include <rocksdb/sst_file_writer.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/storage/history/damage_support.h"
#include "tests/unit/storage/history/history_fixture.h"

namespace reinstate {
namespace {

namespace fs = std::filesystem;

// facebook/rocksdb#13155: at sequence number 0 a compaction under a held snapshot drops keys.
TEST(SequenceNumber, IsNeverZeroWhereItWouldLoseKeys) {
  const auto keys_after_compaction = [](const std::string& database, const std::string& family) {
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    std::vector<std::string> names;
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* opened = nullptr;
    EXPECT_TRUE(rocksdb::DB::ListColumnFamilies({}, database, &names).ok());
    for (const std::string& name : names) {
      families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    }
    EXPECT_TRUE(rocksdb::DB::Open({}, database, families, &handles, &opened).ok());
    const std::unique_ptr<rocksdb::DB> db(opened);
    const rocksdb::Snapshot* held = db->GetSnapshot();
    int keys = 0;
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      if (handle->GetName() == family) {
        rocksdb::CompactRangeOptions force;
        force.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
        EXPECT_TRUE(db->CompactRange(force, handle, nullptr, nullptr).ok());
        const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator({}, handle));
        for (it->SeekToFirst(); it->Valid(); it->Next()) {
          ++keys;
        }
      }
      db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
    }
    db->ReleaseSnapshot(held);
    return keys;
  };

  // The control arm: a database that is only ever ingested into.
  TempDir folder;
  const std::string naive = folder.path() + "/naive";
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, naive, &opened).ok());
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), options);
  ASSERT_TRUE(writer.Open(folder.path() + "/file.sst").ok());
  for (int i = 1000; i < 2000; ++i) {
    ASSERT_TRUE(writer.Put(absl::StrCat(i), "value").ok());
  }
  ASSERT_TRUE(writer.Finish().ok());
  ASSERT_TRUE(opened->IngestExternalFile({folder.path() + "/file.sst"}, {}).ok());
  delete opened;
  EXPECT_LT(keys_after_compaction(naive, "default"), 1000) << "the control arm loses nothing";

  HistoryFixture fixture;
  fixture.Take(SomeTenants('a'));
  fixture.Close();
  EXPECT_EQ(keys_after_compaction(fixture.path() + "/db", "records"), 12 * 8);
}

// Copies the folder at every sync of a snapshot, as a crash there would leave it: what was not
// synced is missing.
TEST(Crash, LeavesTheWholeSnapshotOrNothing) {
  HistoryFixture fixture;
  fixture.files().skip_syncs = false;
  fixture.files().hold_unsynced = true;
  fixture.Reopen();
  const SnapshotInfo first = fixture.Take(SomeTenants('a'));
  int copies = 0;
  Mutex mu;
  fixture.files().before_sync = [&] {
    MutexLock lock(&mu);
    CopyFolder(fixture.path(), absl::StrCat(fixture.scratch(), "/copy", copies++));
  };
  const SnapshotInfo second = fixture.Take(SomeTenants('b'));
  fixture.files().before_sync = nullptr;
  CopyFolder(fixture.path(), absl::StrCat(fixture.scratch(), "/copy", copies++));  // right after
  fixture.files().hold_unsynced = false;
  fixture.files().skip_syncs = true;

  std::vector<size_t> snapshots;
  for (int i = 0; i < copies; ++i) {
    HistoryOptions options = fixture.options();
    options.path = absl::StrCat(fixture.scratch(), "/copy", i);
    options.witnesses = {{.snapshot = first.id, .root_digest = first.root_digest}};
    const absl::StatusOr<std::unique_ptr<History>> history = History::Open(options);
    ASSERT_TRUE(history.ok()) << i << ": " << history.status();
    const std::vector<SnapshotInfo> listed = *(*history)->ListSnapshots(fixture.lineage());
    snapshots.push_back(listed.size());
    for (const SnapshotInfo& info : listed) {
      const absl::StatusOr<TenantModel> read = ReadSnapshot(**history, info.id, fixture.map());
      ASSERT_TRUE(read.ok()) << i << ": " << read.status();
      EXPECT_EQ(*read, SomeTenants(info.id == first.id ? 'a' : 'b')) << i;
    }
    EXPECT_TRUE(fs::is_empty(options.path + "/staging"));
  }
  EXPECT_GE(copies, 8);
  EXPECT_EQ(snapshots.front(), 1U);
  EXPECT_EQ(snapshots.back(), 2U) << second.id.ToString() << " was acknowledged and is lost";
}

TEST(FullDisk, FailsTheSnapshotAndLeavesTheHistoryAsItWas) {
  int appends = 0;
  int restarts = 0;
  for (bool failed = true; failed; ++appends) {
    HistoryFixture fixture;
    const SnapshotInfo first = fixture.Take(SomeTenants('a'));
    fixture.files().appends_until_full = appends;
    const absl::StatusOr<SnapshotInfo> full = fixture.TryTake(SomeTenants('b'), {.ordered = false});
    fixture.files().appends_until_full = -1;
    fixture.files().full = false;
    failed = !full.ok();
    if (failed) {
      ASSERT_EQ(Outcome(full), "NO_SPACE") << full.status();
      ASSERT_EQ(fixture.history().ListSnapshots(fixture.lineage())->size(), 1U);
      fixture.ExpectHolds(first.id, SomeTenants('a'));
      if (Outcome(fixture.TryTake(SomeTenants('c'))) == "UNAVAILABLE") {
        ++restarts;  // it was full in the middle of the last step
        fixture.Reopen();
      }
      const SnapshotInfo later = fixture.Take(SomeTenants('c'));
      fixture.ExpectHolds(later.id, SomeTenants('c'));
      fixture.Reopen();
      fixture.ExpectHolds(first.id, SomeTenants('a'));
      fixture.ExpectHolds(later.id, SomeTenants('c'));
    }
  }
  EXPECT_GT(appends, 10);
  EXPECT_LT(restarts, 8);
}

TEST(FullDisk, StaysFullForAsLongAsItIs) {
  HistoryFixture fixture;
  const SnapshotInfo first = fixture.Take(SomeTenants('a'));
  fixture.files().full = true;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Outcome(fixture.history().Hold(first.id, "reason")), "NO_SPACE");
    EXPECT_EQ(Outcome(fixture.TryTake(SomeTenants('b'))), "NO_SPACE");
  }
  fixture.files().full = false;
  EXPECT_EQ(Outcome(fixture.history().Hold(first.id, "reason")), "OK");
  const SnapshotInfo later = fixture.Take(SomeTenants('b'));
  fixture.ExpectHolds(first.id, SomeTenants('a'));
  fixture.ExpectHolds(later.id, SomeTenants('b'));
}

TEST(FullDisk, FailsAChangeOfTheCatalogThatWorksLater) {
  HistoryFixture fixture;
  const SnapshotInfo first = fixture.Take(SomeTenants('a'));
  fixture.files().full = true;
  EXPECT_EQ(Outcome(fixture.history().Hold(first.id, "reason")), "NO_SPACE");
  EXPECT_FALSE(fixture.history().GetSnapshot(first.id)->held);
  fixture.files().full = false;
  EXPECT_EQ(Outcome(fixture.history().Hold(first.id, "reason")), "OK");
  fixture.Reopen();
  EXPECT_TRUE(fixture.history().GetSnapshot(first.id)->held);
}

}  // namespace
}  // namespace reinstate

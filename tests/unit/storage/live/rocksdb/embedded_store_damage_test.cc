// Crashes of the machine, damaged files, a full disk.

#include <rocksdb/db.h>
#include <rocksdb/sst_file_writer.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "storage/live/rocksdb/embedded_key_codec.h"
#include "storage/rocks/slices.h"
#include "tests/support/faulty_file_system.h"
#include "tests/unit/storage/live/rocksdb/embedded_store_fixture.h"

namespace reinstate {
namespace {

namespace fs = std::filesystem;

class EmbeddedStoreDamageTest : public EmbeddedStoreFixture {
 protected:
  void TearDown() override { store_ = nullptr; }  // before its machine

  // An empty folder on a new machine.
  FaultyFileSystem& NewMachine() {
    store_ = nullptr;
    fs::remove_all(options_.path);
    machine_ = std::make_unique<FaultyFileSystem>();
    options_.env = machine_->env();
    return *machine_;
  }

  // The files of the store whose names begin with `prefix` or end with `suffix`.
  std::vector<std::string> Files(const std::string& prefix, const std::string& suffix) const {
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(options_.path)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(prefix) && name.ends_with(suffix)) {
        files.push_back(entry.path().string());
      }
    }
    return files;
  }

  static std::string ReadFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  static void WriteFile(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }

  // Puts the folder back as it was when the copy was made.
  void RestoreFolder(const std::string& copy) {
    store_ = nullptr;
    fs::remove_all(options_.path);
    fs::copy(copy, options_.path, fs::copy_options::recursive);
  }

  // Rows of a generation that is neither the tenant's nor listed would be counted.
  void ExpectNothingUnlisted() {
    const auto cut = store_->OpenCut({});
    ASSERT_THAT(cut, IsOk());
    int64_t counted = 0;
    for (uint32_t table = 0; table < (*cut)->info().map.tables.size(); ++table) {
      const absl::StatusOr<int64_t> rows = (*cut)->CountRows(table);
      ASSERT_THAT(rows, IsOk());
      counted += *rows;
    }
    EXPECT_EQ(counted, Rows().size());
  }

  // A deletion switches to a new generation, whose number must never have been used.
  void ExpectGoneOnceDeleted() {
    ASSERT_THAT(store_->DeleteTenant(tenant_), IsOk());
    EXPECT_TRUE(Rows().empty()) << "rows of a session that was not committed";
  }

  std::unique_ptr<FaultyFileSystem> machine_;
};

TEST_F(EmbeddedStoreDamageTest, KeepsWhatIsSyncedWhenTheMachineCrashesAtAnySync) {
  int crashes = 0;
  bool lost_unsynced = false;
  for (int64_t at = 1; at <= 24; ++at) {
    SCOPED_TRACE(at);
    FaultyFileSystem& machine = NewMachine();
    options_.max_batch_bytes = at % 2 == 0 ? 0 : 1 << 20;
    ASSERT_THAT(Open(), IsOk());
    machine.CrashAtSync(at);
    std::map<std::string, std::string> acknowledged;
    std::map<std::string, std::string> pending;  // what an unknown commit may have added
    CommitToken token;
    for (int step = 0; step < 8 && pending.empty(); ++step) {
      const std::string name = std::to_string(step);
      if (Put("put " + name, "synced").ok()) {
        acknowledged["put " + name] = "synced";
      }
      Put("unsynced " + name, "perhaps", /*sync=*/false).IgnoreError();
      auto session = Begin();
      absl::Status applied = session->Apply(Insert("a" + name, "by the session"));
      if (applied.ok()) {
        applied = session->Apply(Insert("b" + name, std::string(2000, 'b')));
      }
      const absl::Status committed = applied.ok() ? SealAndCommit(session.get(), &token) : applied;
      auto& rows = committed.ok() ? acknowledged : pending;
      rows["a" + name] = "by the session";
      rows["b" + name] = std::string(2000, 'b');
    }
    crashes += machine.has_crashed() ? 1 : 0;
    machine.Crash();
    store_ = nullptr;
    machine.LoseUnsynced();

    ASSERT_THAT(Open(), IsOk());
    std::map<std::string, std::string> rows = Rows();
    for (const auto& [key, payload] : acknowledged) {
      EXPECT_EQ(rows[key], payload) << key;
    }
    std::set<bool> there;
    for (const auto& [key, payload] : pending) {
      there.insert(rows.contains(key) && rows[key] == payload);
    }
    EXPECT_LE(there.size(), 1) << "half of a commit";
    for (int step = 0; step < 8; ++step) {
      lost_unsynced = lost_unsynced || !rows.contains("unsynced " + std::to_string(step));
    }
    ExpectNothingUnlisted();
    ExpectGoneOnceDeleted();
    store_ = nullptr;
  }
  EXPECT_GT(crashes, 10);
  EXPECT_TRUE(lost_unsynced) << "the control arm: what was not synced can be lost";
}

TEST_F(EmbeddedStoreDamageTest, NoticesAnyDamageInTheMiddleOfTheLog) {
  constexpr int kRecords = 200;
  ASSERT_THAT(Open(), IsOk());
  for (int i = 0; i < kRecords; ++i) {
    ASSERT_THAT(Put("key " + std::to_string(i), std::string(50, 'p')), IsOk());
  }
  store_ = nullptr;
  const std::string copy = folder_.path() + "/copy";
  fs::copy(options_.path, copy, fs::copy_options::recursive);
  const std::vector<std::string> logs = Files("", ".log");
  ASSERT_EQ(logs.size(), 1);
  const std::string log = ReadFile(logs.front());
  ASSERT_GT(log.size(), kRecords * 50);

  int noticed = 0;
  int silent_without_counts = 0;
  for (size_t at = 100; at < log.size(); at += log.size() / 40) {
    SCOPED_TRACE(at);
    RestoreFolder(copy);
    std::string damaged = log;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    WriteFile(logs.front(), damaged);
    const absl::Status opened = Open();
    if (opened.ok()) {
      EXPECT_EQ(Rows().size(), kRecords) << "never silently fewer";
    } else {
      EXPECT_THAT(opened, FailsWith(Reason::kCorrupt));
      EXPECT_EQ(ReadFile(logs.front()), damaged) << "nothing was changed";
      ++noticed;
      // The control arm: without the counts it opens, and has lost records.
      fs::remove(options_.path + "/ACKNOWLEDGED");
      silent_without_counts += Open().ok() && Rows().size() < kRecords ? 1 : 0;
    }
  }
  EXPECT_GT(noticed, 20);
  EXPECT_GT(silent_without_counts, 20);
}

TEST_F(EmbeddedStoreDamageTest, NoticesACutOffListOfFiles) {
  ASSERT_THAT(Open(), IsOk());
  for (int i = 0; i < 50; ++i) {
    ASSERT_THAT(Put("key " + std::to_string(i), "payload"), IsOk());
  }
  // Opening again moves the log into files.
  ASSERT_THAT(Open(), IsOk());
  store_ = nullptr;
  const std::string copy = folder_.path() + "/copy";
  fs::copy(options_.path, copy, fs::copy_options::recursive);
  const std::vector<std::string> manifests = Files("MANIFEST", "");
  ASSERT_FALSE(manifests.empty());
  const std::string& manifest = *std::max_element(manifests.begin(), manifests.end());
  const std::string bytes = ReadFile(manifest);
  int noticed = 0;
  for (size_t at = 0; at < bytes.size(); at += 1 + bytes.size() / 150) {
    SCOPED_TRACE(at);
    RestoreFolder(copy);
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x11);
    WriteFile(manifest, damaged);
    if (Open().ok()) {
      EXPECT_EQ(Rows().size(), 50) << "never silently fewer";
    } else {
      ++noticed;
    }
  }
  EXPECT_GT(noticed, 50);
}

TEST_F(EmbeddedStoreDamageTest, NoticesThatTheListOfFilesLostThoseOfAGeneration) {
  options_.max_batch_bytes = 0;
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(Put("1", "one"), IsOk());
  auto session = Begin();
  ASSERT_THAT(session->Apply(Insert("2", "two")), IsOk());
  ASSERT_THAT(SealAndCommit(session.get()), IsOk());
  session = nullptr;
  store_ = nullptr;
  const std::string copy = folder_.path() + "/copy";
  fs::copy(options_.path, copy, fs::copy_options::recursive);
  const std::vector<std::string> manifests = Files("MANIFEST", "");
  const std::string& manifest = *std::max_element(manifests.begin(), manifests.end());
  const std::string bytes = ReadFile(manifest);
  int by_cornerstone = 0;
  for (size_t left = 0; left < bytes.size(); left += 3) {
    SCOPED_TRACE(left);
    RestoreFolder(copy);
    WriteFile(manifest, bytes.substr(0, left));
    const absl::Status opened = Open();
    if (opened.ok()) {
      EXPECT_EQ(Rows().size(), 2) << "never silently fewer";
      ExpectNothingUnlisted();
      ExpectGoneOnceDeleted();
    } else if (opened.message().find("has lost files of tenant") != std::string::npos) {
      EXPECT_THAT(opened, FailsWith(Reason::kCorrupt));
      ++by_cornerstone;
    }
  }
  EXPECT_GT(by_cornerstone, 10) << "the counts, which are in the log, do not notice these";
}

TEST_F(EmbeddedStoreDamageTest, NeverShowsRowsOfAnUncommittedGenerationHoweverTheLogIsDamaged) {
  options_.max_batch_bytes = 0;
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(Put("1", "one"), IsOk());
  const std::string copy = folder_.path() + "/copy";
  {
    const auto session = Begin();
    ASSERT_THAT(session->Apply(Insert("2", "two")), IsOk());
    const RowKey key("2");
    ASSERT_THAT(session->LookUp("issue", {&key, 1}), IsOk());  // its files are taken over
    fs::copy(options_.path, copy, fs::copy_options::recursive);
  }
  store_ = nullptr;
  RestoreFolder(copy);
  const std::vector<std::string> logs = Files("", ".log");
  ASSERT_FALSE(logs.empty());
  const std::string& path = *std::max_element(logs.begin(), logs.end());
  const std::string log = ReadFile(path);
  ASSERT_FALSE(log.empty());

  int noticed = 0;
  for (size_t at = 0; at < log.size(); at += 5) {
    SCOPED_TRACE(at);
    RestoreFolder(copy);
    std::string damaged = log;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    WriteFile(path, damaged);
    if (Open().ok()) {
      ExpectNothingUnlisted();
      ExpectGoneOnceDeleted();
    } else {
      ++noticed;
    }
  }
  EXPECT_GT(noticed, 5);
}

// facebook/rocksdb#13155: such a database loses keys when it is compacted under a held snapshot.
TEST_F(EmbeddedStoreDamageTest, RefusesADatabaseAtSequenceNumberZero) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (const char* name : {"default", "records", "heads", "tables"}) {
    families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, options_.path, families, &handles, &db).ok());
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), options);
  const std::string file = folder_.path() + "/file.sst";
  ASSERT_TRUE(writer.Open(file).ok());
  ASSERT_TRUE(
      writer.Put(ToSlice(EmbeddedKeyCodec::kFormatKey), ToSlice(EmbeddedKeyCodec::kFormat)).ok());
  ASSERT_TRUE(writer.Put(ToSlice(EmbeddedKeyCodec::kStoreIdKey), "embedded-1").ok());
  ASSERT_TRUE(writer.Finish().ok());
  ASSERT_TRUE(db->IngestExternalFile({file}, {}).ok());
  ASSERT_EQ(db->GetLatestSequenceNumber(), 0);
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  }
  delete db;
  EXPECT_THAT(Open(), FailsWith(Reason::kCorrupt));
}

TEST_F(EmbeddedStoreDamageTest, NoticesThatItsDatabaseIsGone) {
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(Put("key", "payload"), IsOk());
  store_ = nullptr;
  fs::remove(options_.path + "/CURRENT");
  EXPECT_THAT(Open(), FailsWith(Reason::kCorrupt));
}

TEST_F(EmbeddedStoreDamageTest, TakesWritesAgainOnceTheDiskHasSpace) {
  FaultyFileSystem& machine = NewMachine();
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(Put("1", "before"), IsOk());
  machine.SetFull(true);
  EXPECT_THAT(Put("2", "lost"), FailsWith(Reason::kNoSpace));
  EXPECT_THAT(Put("3", "lost"), FailsWith(Reason::kNoSpace));
  EXPECT_FALSE(store_->ProbeHealth().writable);
  EXPECT_FALSE(store_->ProbeHealth().detail.empty());
  EXPECT_EQ(Rows().size(), 1) << "it still reads";
  machine.SetFull(false);
  EXPECT_THAT(Put("4", "after"), IsOk());
  EXPECT_TRUE(store_->ProbeHealth().writable);
  const std::map<std::string, std::string> expected{{"1", "before"}, {"4", "after"}};
  EXPECT_EQ(Rows(), expected);
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(Rows(), expected);
}

TEST_F(EmbeddedStoreDamageTest, SettlesACommitThatAFullDiskStopped) {
  for (const size_t max_batch_bytes : {size_t{1} << 20, size_t{0}}) {
    SCOPED_TRACE(max_batch_bytes);
    FaultyFileSystem& machine = NewMachine();
    options_.max_batch_bytes = max_batch_bytes;
    ASSERT_THAT(Open(), IsOk());
    ASSERT_THAT(Put("1", "one"), IsOk());
    auto session = Begin();
    ASSERT_THAT(session->Apply(Insert("2", "two")), IsOk());
    const auto token = session->Seal();
    ASSERT_THAT(token, IsOk());
    machine.SetFull(true);
    EXPECT_THAT(session->Commit(absl::Now() + absl::Minutes(1)), FailsWith(Reason::kCommitUnknown));
    session = nullptr;

    auto later = store_->OpenTenant(tenant_, {});
    ASSERT_THAT(later, IsOk());
    EXPECT_THAT((*later)->Resolve(*token), FailsWith(Reason::kNoSpace))
        << "after a crash it could still show";
    machine.SetFull(false);
    *later = nullptr;
    later = store_->OpenTenant(tenant_, {});
    const auto outcome = (*later)->Resolve(*token);
    ASSERT_THAT(outcome, IsOk());
    EXPECT_EQ(*outcome, CommitOutcome::kNotCommitted);
    *later = nullptr;
    const std::map<std::string, std::string> expected{{"1", "one"}};
    EXPECT_EQ(Rows(), expected);
    ASSERT_THAT(Open(), IsOk());
    EXPECT_EQ(Rows(), expected) << "nor does it show after a restart";
    store_ = nullptr;
  }
}

}  // namespace
}  // namespace reinstate

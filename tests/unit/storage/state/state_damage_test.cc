// What the state does when its files are damaged, the machine crashes, or the disk is full.

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "storage/state/audit_chain.h"
#include "storage/state/state_keys.h"
#include "tests/support/unreliable_file_system.h"
#include "tests/unit/storage/state/state_fixture.h"

namespace reinstate {
namespace {

namespace fs = std::filesystem;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

void CopyFolder(const std::string& from, const std::string& to) {
  fs::remove_all(to);
  fs::copy(from, to, fs::copy_options::recursive);
}

std::vector<rocksdb::ColumnFamilyDescriptor> PlainFamilies() {
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (size_t i = 0; i < kStateFamilies; ++i) {
    families.emplace_back(std::string(StateFamilyName(static_cast<StateFamily>(i))),
                          rocksdb::ColumnFamilyOptions());
  }
  return families;
}

// The database without what StateStore does around it, with RocksDB's own defaults.
class PlainDatabase {
 public:
  explicit PlainDatabase(const std::string& state_path) {
    rocksdb::DB* db = nullptr;
    status_ = rocksdb::DB::Open(rocksdb::Options(), state_path + "/current/db", PlainFamilies(),
                                &families_, &db);
    db_.reset(db);
  }
  ~PlainDatabase() {
    for (auto* family : families_) {
      db_->DestroyColumnFamilyHandle(family);
    }
  }
  PlainDatabase(const PlainDatabase&) = delete;
  PlainDatabase& operator=(const PlainDatabase&) = delete;

  bool ok() const { return status_.ok(); }
  rocksdb::DB* db() { return db_.get(); }
  rocksdb::ColumnFamilyHandle* family(StateFamily family) {
    return families_[static_cast<size_t>(family)];
  }

  int64_t Count(StateFamily family) {
    std::unique_ptr<rocksdb::Iterator> it(
        db_->NewIterator(rocksdb::ReadOptions(), this->family(family)));
    int64_t records = 0;
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      ++records;
    }
    return records;
  }

 private:
  rocksdb::Status status_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
};

class StateDamageTest : public StateFixture {
 protected:
  void TearDown() override { store_.reset(); }  // before env_

  FileSystemFaults faults_;
  const std::unique_ptr<rocksdb::Env> env_ = MakeUnreliableEnv(&faults_);

  std::string path() { return Options().path; }

  // The largest file of the database whose name ends so.
  std::string FindFile(const std::string& root, const std::string& ending) {
    std::string found;
    for (const auto& entry : fs::directory_iterator(root + "/current/db")) {
      const std::string name = entry.path().string();
      if (name.ends_with(ending) && (found.empty() || fs::file_size(name) > fs::file_size(found))) {
        found = name;
      }
    }
    return found;
  }

  void MakeRestores(int count) {
    Open();
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(Create("rst-" + std::to_string(100 + i)).ok());
    }
    store_.reset();
  }

  struct Tally {
    int refused = 0;
    int whole = 0;
    int wrong = 0;        // opened, but not with all records
    int plain_short = 0;  // the control arm: opened by RocksDB alone, with fewer records
  };

  // Opens copies of the state, each damaged by `damage` in another way (0, 1, … until it returns
  // false), by StateStore and by RocksDB alone.
  Tally TryAll(int64_t records,
               const std::function<bool(const std::string& copy, int which)>& damage) {
    Tally tally;
    const std::string copy = folder_.path() + "/copy";
    for (int which = 0;; ++which) {
      CopyFolder(path(), copy);
      if (!damage(copy, which)) {
        return tally;
      }
      StateOptions options = Options();
      options.path = copy;
      {
        const auto opened = StateStore::Open(options);
        if (opened.ok()) {
          const auto list = (*opened)->ListRestores({}, "", 10000);
          const bool all = list.ok() && static_cast<int64_t>(list->size()) == records;
          ++(all ? tally.whole : tally.wrong);
        } else {
          EXPECT_TRUE(HasReason(opened.status(), Reason::kCorrupt)) << opened.status();
          ++tally.refused;
        }
      }
      CopyFolder(path(), copy);
      damage(copy, which);
      PlainDatabase plain(copy);
      tally.plain_short += plain.ok() && plain.Count(StateFamily::kRestores) < records ? 1 : 0;
    }
  }
};

TEST_F(StateDamageTest, RefusesALogWithAFlippedByteThatPlainRocksDbOpensShort) {
  constexpr int kRestores = 40;
  MakeRestores(kRestores);
  const Tally tally = TryAll(kRestores, [this](const std::string& copy, int which) {
    const std::string log = FindFile(copy, ".log");
    std::string bytes = ReadFile(log);
    const size_t at = 20 + static_cast<size_t>(which) * 397;
    if (at >= bytes.size()) {
      return false;
    }
    bytes[at] = static_cast<char>(bytes[at] ^ 0x20);
    WriteFile(log, bytes);
    return true;
  });
  EXPECT_GT(tally.plain_short, 10);  // the control arm
  EXPECT_EQ(tally.wrong, 0);
  EXPECT_GE(tally.refused, tally.plain_short);
}

TEST_F(StateDamageTest, RefusesATruncatedLogThatPlainRocksDbOpensShort) {
  constexpr int kRestores = 40;
  MakeRestores(kRestores);
  const Tally tally = TryAll(kRestores, [this](const std::string& copy, int which) {
    const std::string log = FindFile(copy, ".log");
    const auto size = static_cast<int64_t>(fs::file_size(log)) - 1 - int64_t{which} * 611;
    if (size < 0) {
      return false;
    }
    fs::resize_file(log, static_cast<uintmax_t>(size));
    return true;
  });
  EXPECT_GT(tally.plain_short, 10);  // the control arm
  EXPECT_EQ(tally.wrong, 0);
  EXPECT_EQ(tally.whole, 0);
}

TEST_F(StateDamageTest, LeavesADamagedLogAsItWasWhenItRefuses) {
  MakeRestores(10);
  const std::string log = FindFile(path(), ".log");
  std::string bytes = ReadFile(log);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  WriteFile(log, bytes);
  ASSERT_FALSE(StateStore::Open(Options()).ok());
  EXPECT_EQ(ReadFile(log), bytes);
}

TEST_F(StateDamageTest, RefusesRecordsThatAreMissingFromAFamily) {
  MakeRestores(5);
  {
    PlainDatabase plain(path());
    ASSERT_TRUE(plain.db()
                    ->Delete(rocksdb::WriteOptions(), plain.family(StateFamily::kRestores),
                             StateKeys::ForId("rst-102"))
                    .ok());
  }
  EXPECT_TRUE(HasReason(StateStore::Open(Options()).status(), Reason::kCorrupt));
}

TEST_F(StateDamageTest, RefusesLinesThatAreMissingFromABatch) {
  Open();
  BatchParts parts;
  for (int i = 0; i < 3; ++i) {
    parts.lines.emplace_back().set_number(i);
  }
  state::BatchRecord batch;
  batch.set_id("bat-1");
  ASSERT_TRUE(store_->CreateBatch({}, batch, parts, AuditDraft()).ok());
  store_.reset();
  {
    PlainDatabase plain(path());
    ASSERT_TRUE(plain.ok());
    ASSERT_TRUE(plain.db()
                    ->Delete(rocksdb::WriteOptions(), plain.family(StateFamily::kBatchLines),
                             StateKeys::ForBatchLine("bat-1", 1))
                    .ok());
  }
  EXPECT_TRUE(HasReason(StateStore::Open(Options()).status(), Reason::kCorrupt));
}

TEST_F(StateDamageTest, RefusesAMissingOrDamagedFileOfTheLastAcknowledgedChange) {
  MakeRestores(2);
  const std::string file = path() + "/current/acknowledged";
  const std::string bytes = ReadFile(file);
  ASSERT_EQ(bytes.size(), 48U);
  fs::remove(file);
  EXPECT_TRUE(HasReason(StateStore::Open(Options()).status(), Reason::kCorrupt));
  WriteFile(file, std::string(48, 'x'));
  EXPECT_TRUE(HasReason(StateStore::Open(Options()).status(), Reason::kCorrupt));
  WriteFile(file, bytes.substr(0, 24) + std::string(24, 'x'));  // one torn slot is enough to go on
  EXPECT_TRUE(StateStore::Open(Options()).ok());
}

TEST_F(StateDamageTest, MakesAnewWhatWasInterruptedWhileItWasMade) {
  fs::create_directories(path() + "/making/db");
  WriteFile(path() + "/making/db/CURRENT", "MANIFEST-000009\n");
  Open();
  EXPECT_TRUE(store_->created());
}

// --- The audit chain ---

TEST_F(StateDamageTest, FindsAnAuditEntryThatWasChanged) {
  MakeRestores(5);
  {
    PlainDatabase plain(path());
    auto* audit = plain.family(StateFamily::kAudit);
    std::string value;
    ASSERT_TRUE(
        plain.db()->Get(rocksdb::ReadOptions(), audit, StateKeys::ForAudit(3), &value).ok());
    state::AuditEntry entry;
    ASSERT_TRUE(entry.ParseFromString(value));
    entry.mutable_actor()->set_name("mallory");
    entry.set_digest(AuditChain::DigestOf(entry));  // they know how it is done
    ASSERT_TRUE(
        plain.db()
            ->Put(rocksdb::WriteOptions(), audit, StateKeys::ForAudit(3), entry.SerializeAsString())
            .ok());
  }
  Open();
  const absl::Status status = store_->VerifyAudit();
  EXPECT_TRUE(HasReason(status, Reason::kCorrupt));
  EXPECT_NE(status.message().find("entry 4"), absl::string_view::npos) << status;
}

TEST_F(StateDamageTest, FindsThatTheLastAuditEntryWasReplaced) {
  MakeRestores(5);
  {
    PlainDatabase plain(path());
    auto* audit = plain.family(StateFamily::kAudit);
    std::string value;
    ASSERT_TRUE(
        plain.db()->Get(rocksdb::ReadOptions(), audit, StateKeys::ForAudit(5), &value).ok());
    state::AuditEntry entry;
    ASSERT_TRUE(entry.ParseFromString(value));
    entry.set_subject("rst-999");
    entry.set_digest(AuditChain::DigestOf(entry));
    ASSERT_TRUE(
        plain.db()
            ->Put(rocksdb::WriteOptions(), audit, StateKeys::ForAudit(5), entry.SerializeAsString())
            .ok());
  }
  Open();
  EXPECT_TRUE(HasReason(store_->VerifyAudit(), Reason::kCorrupt));
}

// --- Crashes of the machine ---

TEST_F(StateDamageTest, HasAllUndoOnceTheIntentIsRecordedWhateverIsLostAfterwards) {
  faults_.hold_unsynced = true;
  StateOptions options = Options();
  options.env = env_.get();
  Open(options);
  ASSERT_TRUE(Create("rst-1").ok());
  const state::Intent intent = AppendUndo("rst-1", 20);
  CopyFolder(path(), folder_.path() + "/before");
  ASSERT_TRUE(store_->RecordIntent("rst-1", intent).ok());
  CopyFolder(path(), folder_.path() + "/after");
  store_.reset();

  StateOptions before = Options();
  before.path = folder_.path() + "/before";
  Open(before);
  EXPECT_FALSE(store_->GetRestore("rst-1")->has_intent());
  // The control arm: what was appended but not synced is indeed lost by such a crash.
  ASSERT_TRUE(store_->UnfinishedRestores().ok());
  store_.reset();
  {
    PlainDatabase plain(before.path);
    EXPECT_LT(plain.Count(StateFamily::kUndo), 20);
  }

  StateOptions after = Options();
  after.path = folder_.path() + "/after";
  Open(after);
  EXPECT_TRUE(store_->GetRestore("rst-1")->has_intent());
  EXPECT_EQ(*CountUndo("rst-1"), 20);
}

TEST_F(StateDamageTest, HasEveryAcknowledgedChangeAfterACrash) {
  faults_.hold_unsynced = true;
  StateOptions options = Options();
  options.env = env_.get();
  Open(options);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(Create("rst-" + std::to_string(i)).ok());
    CopyFolder(path(), folder_.path() + "/crashed");
    StateOptions crashed = Options();
    crashed.path = folder_.path() + "/crashed";
    const auto opened = StateStore::Open(crashed);
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_EQ((*opened)->ListRestores({}, "", 100)->size(), static_cast<size_t>(i) + 1);
  }
}

// --- A full disk ---

TEST_F(StateDamageTest, RecordsAnOutcomeOnAFullDiskByGivingUpTheReserve) {
  faults_.frees_space = "/reserve";
  StateOptions options = Options();
  options.env = env_.get();
  Open(options);
  ASSERT_TRUE(Create("rst-1").ok());
  ASSERT_EQ(fs::file_size(path() + "/reserve"), 1U << 20);
  faults_.full = true;
  ASSERT_TRUE(End("rst-1", state::SUCCEEDED).ok());
  EXPECT_FALSE(fs::exists(path() + "/reserve"));
  Open(options);
  EXPECT_EQ(store_->GetRestore("rst-1")->state(), state::SUCCEEDED);
  EXPECT_TRUE(fs::exists(path() + "/reserve"));
}

TEST_F(StateDamageTest, SaysThatTheDiskIsFullAndGoesOnOnceThereIsSpace) {
  StateOptions options = Options();
  options.env = env_.get();
  Open(options);
  ASSERT_TRUE(Create("rst-1").ok());
  faults_.full = true;
  EXPECT_TRUE(HasReason(Create("rst-2"), Reason::kNoSpace));
  EXPECT_TRUE(HasReason(Create("rst-3"), Reason::kNoSpace));
  EXPECT_EQ(store_->ListRestores({}, "", 10)->size(), 1U);
  faults_.full = false;
  EXPECT_TRUE(Create("rst-4").ok());
  Open(options);
  EXPECT_EQ(store_->ListRestores({}, "", 10)->size(), 2U);
}

TEST_F(StateDamageTest, KeepsTheReserveForOutcomesWhenUndoFindsTheDiskFull) {
  faults_.frees_space = "/reserve";
  StateOptions options = Options();
  options.env = env_.get();
  Open(options);
  ASSERT_TRUE(Create("rst-1").ok());
  faults_.full = true;
  EXPECT_TRUE(
      HasReason(store_->AppendUndo("rst-1", 0, Chunk("a").SerializeAsString()), Reason::kNoSpace));
  EXPECT_TRUE(fs::exists(path() + "/reserve"));
  ASSERT_TRUE(End("rst-1", state::FAILED).ok());
  Open(options);
  EXPECT_EQ(store_->GetRestore("rst-1")->state(), state::FAILED);
}

}  // namespace
}  // namespace reinstate

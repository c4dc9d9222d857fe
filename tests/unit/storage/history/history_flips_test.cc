// What the history does when its files are damaged. Each trial is a process of its own, because
// Debian's RocksDB is built with assertions, and some damage ends the process in one: nothing wrong
// is read then, either. This process uses no RocksDB, so that it has no threads and can fork.

#include <rocksdb/db.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "tests/unit/storage/history/damage_support.h"
#include "tests/unit/storage/history/history_fixture.h"

namespace reinstate {
namespace {

namespace fs = std::filesystem;

// Exit codes that nothing else uses: a sanitizer that finds something ends the process with 1.
enum Ending { kRight = 40, kRefused, kAborted, kWrong };

// Runs `trial` in a child and says how it ended.
Ending InChild(const std::function<Ending()>& trial) {
  const pid_t child = fork();
  if (child == 0) {
    _exit(trial());
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) {
    return kAborted;
  }
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
  return code == kRight || code == kRefused ? static_cast<Ending>(code) : kWrong;
}

void FlipByte(const std::string& file, int64_t at) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(at);
  const int byte = stream.get();
  stream.seekp(at);
  stream.put(static_cast<char>(byte ^ 0xff));
}

std::vector<std::string> FilesBelow(const std::string& folder) {
  std::vector<std::string> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files.push_back(fs::relative(entry.path(), folder).string());
    }
  }
  std::ranges::sort(files);
  return files;
}

// A closed history with two snapshots and their witnesses, and a copy of it to damage.
class DamagedHistory : public testing::Test {
 protected:
  static constexpr uint64_t kSnapshots = 2;

  DamagedHistory() : whole_(folder_.path() + "/whole"), copy_(folder_.path() + "/copy") {
    const Ending made = InChild([this] {
      HistoryFixture fixture;
      std::ofstream digests(folder_.path() + "/digests", std::ios::binary);
      for (uint64_t version = 1; version <= kSnapshots; ++version) {
        digests << fixture.Take(ModelOf(version)).root_digest;
      }
      fixture.Close();
      CopyFolder(fixture.path(), whole_);
      return kRight;
    });
    EXPECT_EQ(made, kRight);
    std::ifstream stream(folder_.path() + "/digests", std::ios::binary);
    const std::string digests{std::istreambuf_iterator<char>(stream), {}};
    for (uint64_t version = 1; version <= kSnapshots; ++version) {
      witnesses_.push_back({.snapshot = {.lineage = 1, .version = version},
                            .root_digest = digests.substr((version - 1) * 32, 32)});
    }
  }

  static TenantModel ModelOf(uint64_t version) {
    return SomeTenants(static_cast<char>('a' + version));
  }

  HistoryOptions CopyOptions(const ManualClock* clock, rocksdb::Env* env) const {
    HistoryOptions options;
    options.path = copy_;
    options.clock = clock;
    options.env = env;
    options.witnesses = witnesses_;
    return options;
  }

  // Opens the copy and reads all that the witnesses know of.
  Ending TryCopy() const {
    return InChild([this] {
      const ManualClock clock;
      FileSystemFaults files;
      files.skip_syncs = true;
      const std::unique_ptr<rocksdb::Env> env = MakeUnreliableEnv(&files);
      const absl::StatusOr<std::unique_ptr<History>> history =
          History::Open(CopyOptions(&clock, env.get()));
      return history.ok() ? ReadAll(**history) : kRefused;
    });
  }

  static Ending ReadAll(const History& history) {
    Ending ending = kRight;
    for (uint64_t version = 1; version <= kSnapshots; ++version) {
      const absl::StatusOr<TenantModel> read =
          ReadSnapshot(history, {.lineage = 1, .version = version}, OwnedTables(2));
      if (read.ok() && *read != ModelOf(version)) {
        return kWrong;
      }
      ending = read.ok() ? ending : kRefused;
    }
    return ending;
  }

  const TempDir folder_;
  const std::string whole_;
  const std::string copy_;
  std::vector<Witness> witnesses_;
};

// In parts, each of which is short also where processes and files are slow.
class FlippedHistory : public DamagedHistory, public testing::WithParamInterface<int> {
 public:
  static constexpr int kParts = 5;
};

TEST_P(FlippedHistory, GivesTheRightRowsOrAnErrorWhereverAByteIsFlipped) {
  constexpr int kPositions = 10;
  int refused = 0;
  for (const std::string& file : FilesBelow(whole_)) {
    const auto bytes = static_cast<int64_t>(fs::file_size(whole_ + "/" + file));
    for (int i = GetParam(); i < kPositions && i < bytes; i += kParts) {
      const int64_t at = i * bytes / kPositions;
      CopyFolder(whole_, copy_);
      FlipByte(copy_ + "/" + file, at);
      const Ending ending = TryCopy();
      EXPECT_NE(ending, kWrong) << "byte " << at << " of " << file;
      refused += ending == kRight ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 10) << "the flips do not reach what is read";
}

INSTANTIATE_TEST_SUITE_P(Parts, FlippedHistory, testing::Range(0, FlippedHistory::kParts));

TEST_F(DamagedHistory, GivesTheRightRowsOrAnErrorWhicheverFileIsMissingOrCutShort) {
  int refused = 0;
  for (const std::string& file : FilesBelow(whole_)) {
    for (const bool missing : {false, true}) {
      CopyFolder(whole_, copy_);
      const std::string damaged = copy_ + "/" + file;
      missing ? static_cast<void>(fs::remove(damaged))
              : fs::resize_file(damaged, fs::file_size(damaged) / 2);
      const Ending ending = TryCopy();
      EXPECT_NE(ending, kWrong) << file << (missing ? " missing" : " cut short");
      refused += ending == kRight ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 10);
}

TEST_F(DamagedHistory, IsRefusedWhereItsDatabaseIsGone) {
  CopyFolder(whole_, copy_);
  fs::remove_all(copy_ + "/db");
  EXPECT_EQ(TryCopy(), kRefused);
}

// Opens the copy as any program would. kWrong if it opens without a root that was there.
Ending PlainOpen(const std::string& database) {
  std::vector<std::string> names;
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  if (!rocksdb::DB::ListColumnFamilies({}, database, &names).ok()) {
    return kRefused;
  }
  for (const std::string& name : names) {
    families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  }
  if (!rocksdb::DB::Open({}, database, families, &handles, &db).ok()) {
    return kRefused;
  }
  int roots = 0;
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    if (handle->GetName() == "roots") {
      const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator({}, handle));
      for (it->SeekToFirst(); it->Valid(); it->Next()) {
        ++roots;
      }
    }
  }
  return roots < 2 ? kWrong : kRight;  // the process ends without closing
}

TEST_F(DamagedHistory, RefusesADamagedManifestThatAPlainOpenAccepts) {
  const std::vector<std::string> files = FilesBelow(whole_);
  const std::string manifest = *std::ranges::find_if(
      files, [](const std::string& file) { return file.find("MANIFEST") != std::string::npos; });
  const auto bytes = static_cast<int64_t>(fs::file_size(whole_ + "/" + manifest));
  int lost_by_plain_open = 0;
  for (int64_t at = std::max<int64_t>(0, bytes - 900); at < bytes; at += 3) {
    CopyFolder(whole_, copy_);
    FlipByte(copy_ + "/" + manifest, at);
    const Ending plain = InChild([this] { return PlainOpen(copy_ + "/db"); });
    if (plain != kWrong) {
      continue;
    }
    ++lost_by_plain_open;
    CopyFolder(whole_, copy_);
    FlipByte(copy_ + "/" + manifest, at);
    EXPECT_NE(TryCopy(), kWrong) << "byte " << at;
    FlipByte(copy_ + "/" + manifest, at);
    EXPECT_EQ(TryCopy(), kRight) << "it wrote or deleted something, byte " << at;
  }
  EXPECT_GT(lost_by_plain_open, 0) << "the control arm loses nothing, so this test shows nothing";
}

}  // namespace
}  // namespace reinstate

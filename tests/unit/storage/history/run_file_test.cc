#include "storage/history/run_file.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <rocksdb/env.h>
#include <rocksdb/file_checksum.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "storage/history/row_sorter.h"
#include "storage/history/sst_sink.h"
#include "tests/unit/storage/history/history_fixture.h"

namespace reinstate {
namespace {

namespace fs = std::filesystem;

using Rows = std::vector<std::pair<std::string, std::string>>;

// Flips a bit of what is read at the begin of files whose names end with `ending`.
class FlippingEnv : public rocksdb::EnvWrapper {
 public:
  explicit FlippingEnv(std::string ending)
      : EnvWrapper(rocksdb::Env::Default()), ending_(std::move(ending)) {}

  rocksdb::Status NewRandomAccessFile(const std::string& path,
                                      std::unique_ptr<rocksdb::RandomAccessFile>* file,
                                      const rocksdb::EnvOptions& options) override {
    rocksdb::Status status = EnvWrapper::NewRandomAccessFile(path, file, options);
    if (status.ok() && path.ends_with(ending_)) {
      *file = std::make_unique<FlippingFile>(std::move(*file));
    }
    return status;
  }

 private:
  class FlippingFile : public rocksdb::RandomAccessFile {
   public:
    explicit FlippingFile(std::unique_ptr<rocksdb::RandomAccessFile> file)
        : file_(std::move(file)) {}

    rocksdb::Status Read(uint64_t offset, size_t bytes, rocksdb::Slice* got,
                         char* into) const override {
      rocksdb::Status status = file_->Read(offset, bytes, got, into);
      if (status.ok() && offset == 0 && !got->empty()) {
        std::memmove(into, got->data(), got->size());
        into[0] ^= 1;
        *got = rocksdb::Slice(into, got->size());
      }
      return status;
    }

   private:
    const std::unique_ptr<rocksdb::RandomAccessFile> file_;
  };

  const std::string ending_;
};

class Runs {
 public:
  explicit Runs(rocksdb::Env* env = nullptr) {
    absl::StatusOr<std::unique_ptr<HistoryDb>> opened =
        HistoryDb::Open({.path = folder_.path() + "/history", .env = env},
                        [](const HistoryDb* /*existing*/) { return absl::OkStatus(); });
    EXPECT_EQ(Outcome(opened), "OK");
    db_ = *std::move(opened);
  }

  HistoryDb* db() { return db_.get(); }

  SortedRun Write(const Rows& rows) {
    std::unique_ptr<RunWriter> writer = *RunWriter::Create(db());
    for (const auto& [group, payload] : rows) {
      EXPECT_EQ(Outcome(writer->Put(group, payload)), "OK");
    }
    return *writer->Finish();
  }

  absl::StatusOr<Rows> Read(const SortedRun& run, const std::string& begin,
                            const std::string& end) {
    Rows rows;
    ASSIGN_OR_RETURN(const std::unique_ptr<RunReader> reader,
                     RunReader::Open(*db(), run, begin, end));
    while (reader->Valid()) {
      rows.emplace_back(reader->group(), reader->payload());
      RETURN_IF_ERROR(reader->Next());
    }
    return rows;
  }

  absl::StatusOr<Rows> Merge(const std::vector<SortedRun>& runs) {
    Rows rows;
    ASSIGN_OR_RETURN(const std::unique_ptr<SortedRows> merged,
                     MergeRuns(*db(), runs, "", std::string(4, '\xff')));
    while (true) {
      ASSIGN_OR_RETURN(const bool found, merged->Next());
      if (!found) {
        return rows;
      }
      rows.emplace_back(merged->group(), merged->payload());
    }
  }

 private:
  TempDir folder_;
  std::unique_ptr<HistoryDb> db_;
};

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

RC_GTEST_PROP(RunFile, GivesBackTheRowsOfAnyRange, ()) {
  Runs runs;
  // Some rows are larger than a block, and some runs have several places to begin at.
  const auto unit = *rc::gen::element(size_t{1}, size_t{1000}, size_t{150'000});
  std::map<std::string, std::string> model;
  for (const auto& [key, size] : *rc::gen::container<std::map<std::string, int>>(
           rc::gen::string<std::string>(), rc::gen::inRange(0, 3))) {
    model[key] = std::string(static_cast<size_t>(size) * unit, 'x') + key;
  }
  const SortedRun run = runs.Write(Rows(model.begin(), model.end()));
  RC_ASSERT(run.rows == static_cast<int64_t>(model.size()));
  auto bounds = *rc::gen::pair(rc::gen::string<std::string>(), rc::gen::string<std::string>());
  if (bounds.second < bounds.first) {
    std::swap(bounds.first, bounds.second);
  }
  RC_ASSERT(*runs.Read(run, "", std::string(64, '\xff')) == Rows(model.begin(), model.end()));
  RC_ASSERT(*runs.Read(run, bounds.first, bounds.second) ==
            Rows(model.lower_bound(bounds.first), model.lower_bound(bounds.second)));
}

TEST(RunFile, BeginsNearTheRangeInALongRun) {
  Runs runs;
  Rows rows;
  for (int i = 100'000; i < 130'000; ++i) {
    rows.emplace_back(absl::StrCat(i), std::string(200, 'x'));
  }
  SortedRun run = runs.Write(rows);
  EXPECT_GE(run.places.size(), 5U);
  EXPECT_LE(run.places.size(), run.bytes >> 20U);
  EXPECT_EQ(runs.Read(run, "129990", "129995")->size(), 5U);
  // What comes before is not read: damage there is not noticed by a later range, but by its own.
  std::string bytes = ReadFile(run.file);
  bytes[1000] ^= 1;
  WriteFile(run.file, bytes);
  EXPECT_EQ(runs.Read(run, "129990", "129995")->size(), 5U);
  EXPECT_EQ(Outcome(runs.Read(run, "100000", "100005")), "CORRUPT");
}

TEST(RunFile, NoticesEveryDamagedByteAndEveryMissingEnd) {
  Runs runs;
  const Rows rows = {{"a", "first"}, {"b", ""}, {"c", std::string(20, 'x')}};
  const SortedRun run = runs.Write(rows);
  const std::string bytes = ReadFile(run.file);
  ASSERT_EQ(*runs.Read(run, "", "z"), rows);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] ^= 0x10;
    WriteFile(run.file, damaged);
    EXPECT_EQ(Outcome(runs.Read(run, "", "z")), "CORRUPT") << "byte " << i;
    WriteFile(run.file, bytes.substr(0, i));
    EXPECT_EQ(Outcome(runs.Read(run, "", "z")), "CORRUPT") << i << " bytes";
  }
}

TEST(MergedRuns, AreTheRowsOfAllInOrder) {
  Runs runs;
  const std::vector<SortedRun> written = {runs.Write({{"a", "1"}, {"b", "2"}, {"f", "6"}}),
                                          runs.Write({}), runs.Write({{"c", "3"}, {"e", "5"}}),
                                          runs.Write({{"d", "4"}})};
  EXPECT_EQ(*runs.Merge(written),
            Rows({{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}, {"e", "5"}, {"f", "6"}}));
}

TEST(MergedRuns, RefuseARowThatIsInTwo) {
  const std::vector<std::vector<Rows>> cases = {
      {{{"a", ""}}, {{"a", ""}}},
      {{{"a", ""}, {"b", ""}}, {{"b", ""}}},
      {{{"a", ""}, {"d", ""}}, {{"b", ""}, {"c", ""}}, {{"c", ""}}},
      {{{"a", ""}, {"c", ""}}, {{"b", ""}}, {{"b", ""}}},
  };
  for (const std::vector<Rows>& each : cases) {
    Runs runs;
    std::vector<SortedRun> written;
    for (const Rows& rows : each) {
      written.push_back(runs.Write(rows));
    }
    EXPECT_EQ(Outcome(runs.Merge(written)), "CORRUPT");
  }
}

// A table whose bytes change between the write and the ingestion does not get into the database,
// wherever they are in the pieces that it is read in.
TEST(Ingest, TakesTablesOnlyAsTheyWereWritten) {
  const auto flipped = [](std::string bytes, size_t at) {
    bytes[at] ^= 1;
    return bytes;
  };
  const std::vector<std::function<std::string(const std::string&)>> damages = {
      [](const std::string& bytes) { return bytes; },  // none
      [&](const std::string& bytes) { return flipped(bytes, 10); },
      [&](const std::string& bytes) { return flipped(bytes, bytes.size() / 2); },
      [&](const std::string& bytes) { return flipped(bytes, bytes.size() - 1); },
      [](const std::string& bytes) { return bytes.substr(0, bytes.size() - 1); },
      [](const std::string& bytes) { return bytes + '\0'; },
  };
  for (size_t i = 0; i < damages.size(); ++i) {
    Runs runs;
    SstSink sink(runs.db(), runs.db()->TableOptions(Family::kRecords), "records");
    std::mt19937_64 random(1);
    for (int key = 100; key < 400; ++key) {
      std::string value;
      while (value.size() < 10'000) {
        value.append(absl::StrCat(random()));
      }
      ASSERT_EQ(Outcome(sink.Put(absl::StrCat(key), value)), "OK");
    }
    ASSERT_EQ(Outcome(sink.Finish()), "OK");
    const std::string path = sink.files()[0].path;
    const std::string bytes = ReadFile(path);
    ASSERT_GT(bytes.size(), 1U << 20);
    WriteFile(path, damages[i](bytes));
    EXPECT_EQ(Outcome(runs.db()->Ingest({{.family = Family::kRecords, .files = sink.files()}})),
              i == 0 ? "OK" : "CORRUPT")
        << "damage " << i;
  }
}

// The first file, which is read while the second one is written.
TEST(SstSink, RefusesAFileThatIsNotOnTheDiskAsItWasWritten) {
  for (const bool damaged : {false, true}) {
    FlippingEnv env(damaged ? "records-1.sst" : "none");
    Runs runs(&env);
    SstSink sink(runs.db(), runs.db()->TableOptions(Family::kRecords), "records");
    const std::string value(4 << 20, 'v');
    const int64_t values = SstSink::kInputBytesPerFile / static_cast<int64_t>(value.size()) + 1;
    for (int64_t key = 0; key < values; ++key) {
      ASSERT_EQ(Outcome(sink.Put(absl::StrCat(100 + key), value)), "OK");
    }
    EXPECT_EQ(Outcome(sink.Finish()), damaged ? "CORRUPT" : "OK");
    ASSERT_EQ(sink.files().size(), 2);
    EXPECT_TRUE(damaged || (sink.files()[0].checked && !sink.files()[1].checked));
  }
}

TEST(Ingest, RefusesAChecksumOfAnotherFunction) {
  Runs runs;
  rocksdb::Options options = runs.db()->TableOptions(Family::kRecords);
  options.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  SstSink sink(runs.db(), options, "records");
  ASSERT_EQ(Outcome(sink.Put("key", "value")), "OK");
  ASSERT_EQ(Outcome(sink.Finish()), "OK");
  EXPECT_EQ(Outcome(runs.db()->Ingest({{.family = Family::kRecords, .files = sink.files()}})),
            "CORRUPT");
}

}  // namespace
}  // namespace reinstate

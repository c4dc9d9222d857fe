#include "storage/history/row_sorter.h"

#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <queue>
#include <utility>

#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/history/history_status.h"
#include "storage/history/sst_sink.h"

namespace reinstate {
namespace {

constexpr int64_t kBytesBetweenSamples = 1LL << 20;
constexpr size_t kRunReadahead = 256 << 10;

absl::Status Duplicate() {
  return MakeError(Reason::kCorrupt,
                   "The store gave the same row (tenant, table and key) twice in one cut.");
}

// One run, being read.
class RunCursor {
 public:
  static absl::StatusOr<std::unique_ptr<RunCursor>> Open(const HistoryDb& db, const SortedRun& run,
                                                         const std::string& begin,
                                                         const std::string& end) {
    auto cursor = std::make_unique<RunCursor>(db, end);
    RETURN_IF_ERROR(HistoryStatus(cursor->reader_.Open(run.file), "open a sorted run"));
    rocksdb::ReadOptions options;
    options.iterate_upper_bound = &cursor->upper_bound_;
    options.readahead_size = kRunReadahead;
    options.fill_cache = false;
    cursor->it_.reset(cursor->reader_.NewIterator(options));
    cursor->it_->Seek(begin);
    return cursor;
  }

  RunCursor(const HistoryDb& db, std::string end)
      : end_(std::move(end)), upper_bound_(end_), reader_(SortedRunOptions(db)) {}

  bool Valid() const { return it_->Valid(); }
  absl::Status status() const { return HistoryStatus(it_->status(), "read a sorted run"); }
  void Next() { it_->Next(); }
  std::string_view group() const { return it_->key().ToStringView(); }
  std::string_view payload() const { return it_->value().ToStringView(); }

 private:
  const std::string end_;
  const rocksdb::Slice upper_bound_;
  rocksdb::SstFileReader reader_;
  std::unique_ptr<rocksdb::Iterator> it_;
};

class MergedRuns : public SortedRows {
 public:
  absl::Status Add(std::unique_ptr<RunCursor> cursor) {
    RETURN_IF_ERROR(Queue(cursor.get()));
    cursors_.push_back(std::move(cursor));
    return absl::OkStatus();
  }

  absl::StatusOr<bool> Next() override {
    if (current_ != nullptr) {
      last_group_ = current_->group();
      current_->Next();
      RETURN_IF_ERROR(Queue(std::exchange(current_, nullptr)));
    }
    if (heap_.empty()) {
      return false;
    }
    current_ = heap_.top();
    heap_.pop();
    if (current_->group() == last_group_) {
      return Duplicate();
    }
    return true;
  }

  std::string_view group() const override { return current_->group(); }
  std::string_view payload() const override { return current_->payload(); }

 private:
  struct Later {
    bool operator()(const RunCursor* a, const RunCursor* b) const {
      return a->group() > b->group();
    }
  };

  absl::Status Queue(RunCursor* cursor) {
    if (cursor->Valid()) {
      heap_.push(cursor);
      return absl::OkStatus();
    }
    return cursor->status();
  }

  std::vector<std::unique_ptr<RunCursor>> cursors_;
  std::priority_queue<RunCursor*, std::vector<RunCursor*>, Later> heap_;
  RunCursor* current_ = nullptr;
  std::string last_group_;
};

absl::StatusOr<SortedRun> MergeIntoOne(HistoryDb* db, const std::vector<SortedRun>& runs) {
  // Keys begin with a lineage, which is far below FF FF FF FF.
  ASSIGN_OR_RETURN(const std::unique_ptr<SortedRows> rows,
                   MergeRuns(*db, runs, "", std::string(4, '\xff')));
  SortedRun merged{.file = db->NewStagingFile("run")};
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), SortedRunOptions(*db));
  RETURN_IF_ERROR(HistoryStatus(writer.Open(merged.file), "create a sorted run"));
  while (true) {
    ASSIGN_OR_RETURN(const bool found, rows->Next());
    if (!found) {
      break;
    }
    RETURN_IF_ERROR(
        HistoryStatus(writer.Put(rows->group(), rows->payload()), "write a sorted run"));
    ++merged.rows;
  }
  RETURN_IF_ERROR(HistoryStatus(writer.Finish(), "finish a sorted run"));
  return merged;
}

}  // namespace

rocksdb::Options SortedRunOptions(const HistoryDb& db) {
  rocksdb::BlockBasedTableOptions table;
  table.block_size = 64 << 10;
  table.no_block_cache = true;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  rocksdb::Options options = db.TableOptions(Family::kRecords);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kLZ4Compression;  // read once and thrown away
  options.file_checksum_gen_factory.reset();
  return options;
}

RowSorter::RowSorter(HistoryDb* db, int64_t budget_bytes)
    : db_(db),
      arena_budget_(static_cast<size_t>(budget_bytes) / 8 * 7),
      rows_budget_(std::max<size_t>(static_cast<size_t>(budget_bytes) / 8 / sizeof(ArenaRow), 1)) {
  arena_.reserve(arena_budget_);
  rows_.reserve(rows_budget_);
}

absl::Status RowSorter::Add(std::string_view group, std::string_view payload) {
  const size_t bytes = group.size() + payload.size();
  if (rows_.size() == rows_budget_ || arena_.size() + bytes > arena_budget_) {
    RETURN_IF_ERROR(Spill());
  }
  rows_.push_back({.offset = arena_.size(),
                   .group_bytes = static_cast<uint32_t>(group.size()),
                   .payload_bytes = static_cast<uint32_t>(payload.size())});
  arena_.append(group).append(payload);
  bytes_since_sample_ += static_cast<int64_t>(bytes);
  if (bytes_since_sample_ >= kBytesBetweenSamples) {
    samples_.emplace_back(group);
    bytes_since_sample_ = 0;
  }
  return absl::OkStatus();
}

absl::Status RowSorter::Spill() {
  if (rows_.empty()) {
    return absl::OkStatus();
  }
  SortByGroup(arena_, rows_);
  SortedRun run{.file = db_->NewStagingFile("run"), .rows = static_cast<int64_t>(rows_.size())};
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), SortedRunOptions(*db_));
  RETURN_IF_ERROR(HistoryStatus(writer.Open(run.file), "create a sorted run"));
  std::string_view last;
  for (const ArenaRow& row : rows_) {
    const std::string_view group = row.group(arena_);
    if (group == last) {
      return Duplicate();
    }
    RETURN_IF_ERROR(HistoryStatus(writer.Put(group, row.payload(arena_)), "write a sorted run"));
    last = group;
  }
  RETURN_IF_ERROR(HistoryStatus(writer.Finish(), "finish a sorted run"));
  runs_.push_back(std::move(run));
  rows_.clear();
  arena_.clear();
  return absl::OkStatus();
}

absl::Status RowSorter::Finish() {
  RETURN_IF_ERROR(Spill());
  std::string().swap(arena_);
  std::vector<ArenaRow>().swap(rows_);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<SortedRows>> MergeRuns(const HistoryDb& db,
                                                      const std::vector<SortedRun>& runs,
                                                      const std::string& begin,
                                                      const std::string& end) {
  auto merged = std::make_unique<MergedRuns>();
  for (const SortedRun& run : runs) {
    ASSIGN_OR_RETURN(std::unique_ptr<RunCursor> cursor, RunCursor::Open(db, run, begin, end));
    RETURN_IF_ERROR(merged->Add(std::move(cursor)));
  }
  return merged;
}

absl::Status ReduceRuns(HistoryDb* db, size_t max_runs, std::vector<SortedRun>* runs) {
  while (runs->size() > max_runs) {
    // The shortest ones, so that rows are copied as seldom as possible.
    std::ranges::sort(*runs, std::less<>(), &SortedRun::rows);
    const size_t taken = std::min(max_runs, runs->size() - max_runs + 1);
    const std::vector<SortedRun> first(runs->begin(), runs->begin() + static_cast<int64_t>(taken));
    ASSIGN_OR_RETURN(SortedRun merged, MergeIntoOne(db, first));
    runs->erase(runs->begin(), runs->begin() + static_cast<int64_t>(taken));
    runs->push_back(std::move(merged));
    for (const SortedRun& run : first) {
      RETURN_IF_ERROR(db->DeleteStagingFile(run.file));
    }
  }
  return absl::OkStatus();
}

}  // namespace reinstate

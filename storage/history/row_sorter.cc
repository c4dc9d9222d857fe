#include "storage/history/row_sorter.h"

#include <algorithm>
#include <queue>
#include <utility>

#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr int64_t kBytesBetweenSamples = 1LL << 20;

absl::Status Duplicate() {
  return MakeError(Reason::kCorrupt,
                   "The store gave the same row (tenant, table and key) twice in one cut.");
}

class MergedRuns : public SortedRows {
 public:
  void Add(std::unique_ptr<RunReader> run) {
    if (run->Valid()) {
      others_.push(run.get());
    }
    runs_.push_back(std::move(run));
  }

  absl::StatusOr<bool> Next() override {
    if (current_ != nullptr) {
      RETURN_IF_ERROR(current_->Next());
      if (current_->Valid()) {
        // Rows that are neighbours in the order are mostly so in the store, and then in a run.
        const int order = others_.empty() ? -1 : current_->group().compare(others_.top()->group());
        if (order < 0) {
          return true;
        }
        if (order == 0) {
          return Duplicate();
        }
        others_.push(current_);
      }
    }
    return TakeFirst();
  }

  std::string_view group() const override { return current_->group(); }
  std::string_view payload() const override { return current_->payload(); }

 private:
  struct Later {
    bool operator()(const RunReader* a, const RunReader* b) const {
      return a->group() > b->group();
    }
  };

  // Goes on with the run that is first in the order; false if none is left.
  absl::StatusOr<bool> TakeFirst() {
    if (others_.empty()) {
      current_ = nullptr;
      return false;
    }
    current_ = others_.top();
    others_.pop();
    if (!others_.empty() && others_.top()->group() == current_->group()) {
      return Duplicate();
    }
    return true;
  }

  std::vector<std::unique_ptr<RunReader>> runs_;
  RunReader* current_ = nullptr;  // the run of the present row
  std::priority_queue<RunReader*, std::vector<RunReader*>, Later> others_;
};

absl::StatusOr<SortedRun> MergeIntoOne(HistoryDb* db, const std::vector<SortedRun>& runs) {
  // Keys begin with a lineage, which is far below FF FF FF FF.
  ASSIGN_OR_RETURN(const std::unique_ptr<SortedRows> rows,
                   MergeRuns(*db, runs, "", std::string(4, '\xff')));
  ASSIGN_OR_RETURN(const std::unique_ptr<RunWriter> merged, RunWriter::Create(db));
  while (true) {
    ASSIGN_OR_RETURN(const bool found, rows->Next());
    if (!found) {
      return merged->Finish();
    }
    RETURN_IF_ERROR(merged->Put(rows->group(), rows->payload()));
  }
}

}  // namespace

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
  ASSIGN_OR_RETURN(const std::unique_ptr<RunWriter> run, RunWriter::Create(db_));
  std::string_view last;
  for (const ArenaRow& row : rows_) {
    const std::string_view group = row.group(arena_);
    if (group == last) {
      return Duplicate();
    }
    RETURN_IF_ERROR(run->Put(group, row.payload(arena_)));
    last = group;
  }
  ASSIGN_OR_RETURN(runs_.emplace_back(), run->Finish());
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
    ASSIGN_OR_RETURN(std::unique_ptr<RunReader> reader, RunReader::Open(db, run, begin, end));
    merged->Add(std::move(reader));
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

#pragma once

#include <rocksdb/env.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/history/history_db.h"

namespace reinstate {

// A file of rows, ascending by group key, in the staging folder. It is written once, read soon, and
// thrown away; so it is neither synced nor compressed, which would take longer than all the rest of
// the sorting. What was written is checked when it is read.
//
//   block   | bytes of rows 8 | XXH3-64 of rows 8 | rows |    of some 256 KiB, or with one larger
//   row row     | bytes of group 4 | bytes of payload 4 | group | payload |
//
// Numbers are as this machine has them: no other one reads the file.
struct SortedRun {
  // Where reading can begin.
  struct Place {
    std::string group;  // of the first row there
    uint64_t offset = 0;
  };

  std::string file;
  int64_t rows = 0;
  uint64_t bytes = 0;
  std::vector<Place> places;  // ascending, at least about 1 MiB apart; the first is the beginning
};

// Writes a run. Not thread-safe. A run that was not finished is the owner's to remove
// (HistoryDb::ClearStaging).
class RunWriter {
 public:
  // `db` is borrowed. NO_SPACE.
  static absl::StatusOr<std::unique_ptr<RunWriter>> Create(HistoryDb* db);

  // The caller sees to it that groups ascend; each is of less than 4 GiB, as is each payload.
  // NO_SPACE.
  absl::Status Put(std::string_view group, std::string_view payload);

  // Once, at the end. NO_SPACE.
  absl::StatusOr<SortedRun> Finish();

 private:
  RunWriter() = default;

  void BeginBlock(std::string_view group);
  absl::Status WriteBlock();

  SortedRun run_;
  std::unique_ptr<rocksdb::WritableFile> file_;
  std::string block_;  // room for its head, and rows; empty between blocks
};

// Reads the rows of a run within a range of groups. Takes the memory of one block. Not thread-safe.
class RunReader {
 public:
  // Goes to the first row within [begin, end). `run` is borrowed. CORRUPT, UNAVAILABLE.
  static absl::StatusOr<std::unique_ptr<RunReader>> Open(const HistoryDb& db, const SortedRun& run,
                                                         std::string_view begin, std::string end);

  bool Valid() const { return valid_; }

  // Goes to the next row; after the last one it is not valid any more. CORRUPT, UNAVAILABLE.
  absl::Status Next();

  // Of the present row; valid until the next call of Next.
  std::string_view group() const { return group_; }
  std::string_view payload() const { return payload_; }

 private:
  RunReader(const SortedRun& run, std::string end) : run_(run), end_(std::move(end)) {}

  absl::Status ReadBlock();
  absl::Status Read(uint64_t bytes, char* into);

  const SortedRun& run_;
  const std::string end_;
  std::unique_ptr<rocksdb::RandomAccessFile> file_;
  uint64_t offset_ = 0;    // of what follows the block
  std::string block_;      // its rows
  std::string_view rest_;  // of the block
  bool valid_ = false;
  std::string_view group_;
  std::string_view payload_;
};

}  // namespace reinstate

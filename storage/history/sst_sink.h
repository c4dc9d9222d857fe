#pragma once

#include <rocksdb/sst_file_writer.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "storage/base/serial_thread.h"
#include "storage/history/history_db.h"

namespace reinstate {

// Writes strictly ascending keys into files of the staging folder, a new one whenever the last has
// taken in enough. Each but the last is checked (CheckTableFile) on a thread of the sink's own
// while the next one is written. Not thread-safe. Files that were not ingested are the owner's to
// remove (HistoryDb::ClearStaging).
class SstSink {
 public:
  static constexpr int64_t kInputBytesPerFile = 256LL << 20;

  // `options` are those of the family that the files are for.
  SstSink(HistoryDb* db, rocksdb::Options options, std::string label);

  // NO_SPACE. A key that does not ascend is INTERNAL. CORRUPT if an earlier file is not on the disk
  // as it was written.
  absl::Status Put(std::string_view key, std::string_view value);
  absl::Status Delete(std::string_view key);

  // Closes and syncs the last file. CORRUPT if an earlier one is not on the disk as it was written.
  // Nothing may be put afterwards.
  absl::Status Finish();

  const std::vector<HistoryDb::StagedTable>& files() const { return files_; }
  int64_t file_bytes() const { return file_bytes_; }  // of the closed ones

 private:
  absl::Status PrepareFor(int64_t input_bytes);
  absl::Status CloseFile();
  absl::Status CheckWhileWritingOn();

  HistoryDb* const db_;
  const rocksdb::Options options_;
  const std::string label_;
  std::unique_ptr<rocksdb::SstFileWriter> writer_;  // null between files
  std::vector<HistoryDb::StagedTable> files_;
  int64_t input_bytes_ =
      0;  // in the present file; its size on disk is known only when it is closed
  int64_t file_bytes_ = 0;
  std::optional<SerialThread> checks_;  // none as long as there is but one file
};

}  // namespace reinstate

#pragma once

#include <rocksdb/db.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/rocks/folder_lock.h"

namespace reinstate {

// The column families. All but the catalog are written by ingest only, the catalog by synced writes
// only: RocksDB before 7.10 can order the two kinds wrongly within one family
// (facebook/rocksdb#10922).
enum class Family { kRecords, kManifests, kRoots, kSchemas, kCatalog };

// The RocksDB database of a history: its folder, its lock, its families and their settings. Knows
// nothing of what keys and values mean, but for the checksum at the end of each value.
//
// Thread-safe. What a writing call changed is durable when it returns OK, and has not happened
// otherwise. NO_SPACE if the disk is nearly full. If a write fails in the middle nonetheless, every
// later change is refused as UNAVAILABLE until the database is opened again.
class HistoryDb {
 public:
  struct Options {
    std::string path;
    int64_t block_cache_bytes = 64LL << 20;
    rocksdb::Env* env = nullptr;  // the default one if null
  };

  // Looks at what is in the folder before anything is written: a database that was opened for
  // reading only, or null if there is none yet. An error ends the opening.
  using Inspection = std::function<absl::Status(const HistoryDb* existing)>;

  // Opens or creates, and clears the staging folder. DATA_DIRECTORY_IN_USE, HISTORY_WRONG_FORMAT;
  // HISTORY_INCOMPLETE if there are tables that no database knows of.
  static absl::StatusOr<std::unique_ptr<HistoryDb>> Open(const Options& options,
                                                         const Inspection& inspect);

  // Opens what is there for reading. Every writing call fails as HISTORY_INCOMPLETE.
  // DATA_DIRECTORY_IN_USE, HISTORY_WRONG_FORMAT; HISTORY_INCOMPLETE if there is no database.
  static absl::StatusOr<std::unique_ptr<HistoryDb>> OpenReadOnly(const Options& options);

  ~HistoryDb();
  HistoryDb(const HistoryDb&) = delete;
  HistoryDb& operator=(const HistoryDb&) = delete;

  // The value under `key` without its checksum, or nullopt. CORRUPT.
  absl::StatusOr<std::optional<std::string>> Get(Family family, std::string_view key) const;

  std::unique_ptr<rocksdb::Iterator> NewIterator(Family family,
                                                 const rocksdb::ReadOptions& options) const;

  // What a write to the catalog outlives: the end of the process, being in the log, or a crash of
  // the machine and a damaged log as well, being in a table file.
  enum class Durability { kLogged, kFlushed };

  // Writes to the catalog, `body` without its checksum.
  absl::Status PutCatalog(std::string_view key, std::string body, Durability durability);

  // A table in the staging folder.
  struct StagedTable {
    std::string path;      // a full one
    std::string checksum;  // of the file, computed while it was written
    std::string checksum_function;
    bool checked = false;  // whether it was already read again (CheckTableFile)
  };

  struct FamilyFiles {
    Family family = Family::kRecords;
    std::vector<StagedTable> files;  // moved
  };

  // Adds all files in one atomic step: a crash leaves all or none of them. Families without files
  // are left out. CORRUPT if a file is not what was written.
  absl::Status Ingest(const std::vector<FamilyFiles>& families);

  // Rewrites what deletions have left behind in [begin, end) of a family. Gives up soon after
  // `cancelled` says so: CANCELLED; what is not rewritten by then stays as it was.
  absl::Status Compact(Family family, std::string_view begin, std::string_view end,
                       const std::function<bool()>& cancelled);

  // With these the files of a family are written.
  rocksdb::Options TableOptions(Family family) const;

  // A new file name in the staging folder. `label` is for people, as is the ending.
  std::string NewStagingFile(std::string_view label, std::string_view ending = ".sst");

  absl::Status DeleteStagingFile(const std::string& file) const;

  // Removes what is in the staging folder. Not while a file there is in use.
  absl::Status ClearStaging() const;

  // 0 only if nothing was ever written but by ingest: then a compaction can drop keys that are in
  // use (facebook/rocksdb#13155).
  uint64_t LatestSequenceNumber() const { return db_->GetLatestSequenceNumber(); }

  // Of the files of the history.
  rocksdb::Env* env() const { return env_; }

  // Bytes of all files, staging included.
  absl::StatusOr<int64_t> DiskBytes() const;

 private:
  explicit HistoryDb(const Options& options);

  static absl::Status InspectExisting(const Options& options, const Inspection& inspect);
  absl::Status OpenDatabase(bool read_only);
  absl::Status CheckWritable() const;
  absl::Status FlushCatalog();
  absl::Status CheckFiles(const std::vector<FamilyFiles>& families) const;
  absl::Status NoteWrite(const rocksdb::Status& status, std::string_view what);
  rocksdb::ColumnFamilyHandle* Handle(Family family) const;

  const Options options_;
  rocksdb::Env* const env_;
  const std::shared_ptr<rocksdb::Cache> cache_;
  std::unique_ptr<FolderLock> lock_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;  // default, then in the order of Family
  std::unique_ptr<rocksdb::DB> db_;
  bool read_only_ = false;
  std::atomic<uint64_t> staged_files_ = 0;
  std::atomic<bool> write_failed_ = false;
};

}  // namespace reinstate

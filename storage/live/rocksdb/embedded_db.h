#pragma once

#include <rocksdb/db.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/mutex.h"
#include "storage/live/rocksdb/acknowledged_counts.h"
#include "storage/live/rocksdb/embedded_key_codec.h"
#include "storage/live/rocksdb/embedded_store_options.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

// A file that is ready to be taken over by the database, see EmbeddedDb::Ingest.
struct BuiltFile {
  std::string path;
  std::string checksum;       // as SstFileWriter computed it
  std::string checksum_name;  // how
};

// A view of the database that is released with its last owner. Does not outlive the EmbeddedDb.
using SnapshotPtr = std::shared_ptr<const rocksdb::Snapshot>;

// The database below the embedded store: opens and checks it, and is the one place that writes to
// it. Thread-safe unless a call says otherwise.
class EmbeddedDb {
 public:
  // CORRUPT if it has lost writes that were acknowledged: nothing was changed on disk then, so that
  // it can be copied and looked at. DATA_DIRECTORY_IN_USE, UNSUPPORTED (of another format),
  // UNAVAILABLE, NO_SPACE.
  static absl::StatusOr<std::unique_ptr<EmbeddedDb>> Open(EmbeddedStoreOptions options);

  ~EmbeddedDb();
  EmbeddedDb(const EmbeddedDb&) = delete;
  EmbeddedDb& operator=(const EmbeddedDb&) = delete;

  rocksdb::DB* raw() const { return db_.get(); }
  rocksdb::ColumnFamilyHandle* meta() const { return families_[0]; }
  rocksdb::ColumnFamilyHandle* records() const { return families_[1]; }
  rocksdb::ColumnFamilyHandle* heads() const { return families_[2]; }
  rocksdb::ColumnFamilyHandle* tables() const { return families_[3]; }

  const EmbeddedStoreOptions& options() const { return options_; }
  const std::string& store_id() const { return store_id_; }

  // What options.faults has at `place`.
  absl::Status Fault(std::string_view place) const;

  SnapshotPtr TakeSnapshot() const;

  // The value at `key` in `snapshot` (null: now), or nullopt.
  absl::StatusOr<std::optional<std::string>> Get(rocksdb::ColumnFamilyHandle* family,
                                                 std::string_view key,
                                                 const rocksdb::Snapshot* snapshot) const;

  // The tenant's head, or nullopt if it never had a record.
  absl::StatusOr<std::optional<TenantHead>> ReadHead(const TenantId& tenant,
                                                     const rocksdb::Snapshot* snapshot) const;

  // Whether a table of this name was ever written to, as of now.
  bool HasTable(std::string_view name) const;

  // To be called once a write that puts `name` into tables() has succeeded.
  void AddTable(const std::string& name);

  // Applies `batch` at once; it outlives a crash of the process. After an error it is not visible,
  // but until Settle succeeds a crash could still make it so.
  absl::Status Write(rocksdb::WriteBatch* batch);

  // As Write, and it outlives a crash of the machine. Counts it for each of `shards`, whose latches
  // the caller holds.
  absl::Status WriteSynced(rocksdb::WriteBatch* batch, std::span<const uint32_t> shards);

  // Where to build a file for Ingest: a path that was never used.
  std::string NewBuiltFilePath();

  // The options that such a file must be written with.
  const rocksdb::Options& built_options() const { return built_options_; }

  // Takes over `files` of records(), all at once; their ranges of keys are apart from each other,
  // and nothing was ever written in them. On disk when it returns, as if written and synced, but
  // not counted by any shard. Views that were taken before do not see it. Does not wait for writes,
  // and writes wait for the time of one sync.
  //
  // RocksDB 7.8 sorts the files of its first level by their sequence numbers, which goes wrong
  // where files that were taken over have keys in common with memtables. Here they have none.
  absl::Status Ingest(const std::vector<BuiltFile>& files);

  // Removes the file, if it is there still.
  void RemoveBuiltFile(const BuiltFile& file);

  // Makes sure that a write that failed will never show, and that the database takes writes again.
  // Does nothing if none failed. An error as long as the cause is there (a full disk).
  absl::Status Settle();

  // Whether a write has failed and Settle has not succeeded since.
  bool is_suspect() const { return failures_ != settled_failures_; }

 private:
  struct OpenedReadOnly;

  explicit EmbeddedDb(EmbeddedStoreOptions options) : options_(std::move(options)) {}

  rocksdb::Options DatabaseOptions();
  rocksdb::ColumnFamilyOptions FamilyOptions() const;
  std::vector<rocksdb::ColumnFamilyDescriptor> Families() const;
  absl::Status ClearBuiltFiles();
  absl::Status CheckBeforeWriting(const rocksdb::Options& options) const;
  absl::Status CheckReadOnly(const rocksdb::Options& options) const;
  absl::Status CheckSequence(const OpenedReadOnly& opened) const;
  absl::Status CheckCounts(const OpenedReadOnly& opened) const;
  absl::Status CheckCornerstones(const OpenedReadOnly& opened) const;
  absl::Status AfterWrite(const rocksdb::Status& status);
  absl::Status CheckSpace() const;
  absl::Status OpenForWriting(const rocksdb::Options& options);
  absl::Status LoadMeta();
  absl::Status LoadCounts();
  absl::Status LoadTables();

  const EmbeddedStoreOptions options_;
  std::unique_ptr<AcknowledgedCounts> acknowledged_;
  // Writes that failed, in the background too. RocksDB counts as well, until db_ is destroyed.
  std::atomic<uint64_t> failures_ = 0;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;  // destroyed by hand, before db_
  std::string store_id_;
  rocksdb::Options built_options_;
  std::atomic<uint64_t> built_files_ = 0;
  std::array<uint64_t, AcknowledgedCounts::kShards> counts_ = {};  // each under its shard's latch

  std::atomic<uint64_t> settled_failures_ = 0;  // how many of them can never show any more
  Mutex settle_mu_;                             // one Settle at a time

  mutable Mutex tables_mu_;
  std::set<std::string, std::less<>> table_names_ ABSL_GUARDED_BY(tables_mu_);
};

}  // namespace reinstate

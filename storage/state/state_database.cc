#include "storage/state/state_database.h"

#include <google/protobuf/message_lite.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/state/acknowledged_file.h"
#include "storage/state/disk_reserve.h"
#include "storage/state/rocksdb_status.h"

namespace reinstate {
namespace {

namespace fs = std::filesystem;

constexpr int kFormat = 1;
constexpr size_t kWriteBufferBytes = 16 << 20;
constexpr size_t kMaxWalBytes = 64 << 20;
constexpr size_t kBlockCacheBytes = 8 << 20;

// The folders and files below StateOptions::path.
struct Layout {
  explicit Layout(const std::string& path)
      : in_use(path + "/in-use"),
        reserve(path + "/reserve"),
        current(path + "/current"),
        making(path + "/making") {}

  static std::string Database(const std::string& folder) { return folder + "/db"; }
  static std::string Acknowledged(const std::string& folder) { return folder + "/acknowledged"; }

  const std::string in_use;
  const std::string reserve;
  const std::string current;
  const std::string making;  // renamed to `current` once it is whole
};

using Counts = std::array<int64_t, kStateFamilies>;

Counts CountsOf(const state::Meta& meta) {
  Counts counts{};
  for (const auto& count : meta.counts()) {
    for (size_t i = 0; i < kStateFamilies; ++i) {
      if (StateFamilyName(static_cast<StateFamily>(i)) == count.family()) {
        counts[i] = count.records();
      }
    }
  }
  return counts;
}

void SetCounts(const Counts& counts, state::Meta* meta) {
  meta->clear_counts();
  for (size_t i = 0; i < kStateFamilies; ++i) {
    const auto family = static_cast<StateFamily>(i);
    if (IsCounted(family)) {
      auto* count = meta->add_counts();
      count->set_family(std::string(StateFamilyName(family)));
      count->set_records(counts[i]);
    }
  }
}

// RocksDB polls for space by itself after a full disk, every few seconds, and refuses Resume
// meanwhile. The state decides itself when to try again.
class NoRecoveryByItself final : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*error*/,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
};

rocksdb::Options DatabaseOptions(rocksdb::Env* env) {
  rocksdb::Options options;
  options.env = env;
  options.paranoid_checks = true;
  options.fail_if_options_file_error = true;
  options.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  options.level_compaction_dynamic_level_bytes = true;
  options.compaction_readahead_size = 2 << 20;
  options.write_buffer_size = kWriteBufferBytes;
  options.max_total_wal_size = kMaxWalBytes;
  options.max_open_files = 256;
  options.keep_log_file_num = 3;
  // Recovery ends at the first damage. After a crash of the machine that is right for the unsynced
  // tail, of which nothing was promised; the stricter modes refuse to open then. That it was
  // nothing but such a tail is what the acknowledged number is compared for.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  options.listeners.push_back(std::make_shared<NoRecoveryByItself>());
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(kBlockCacheBytes);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> Families(const rocksdb::Options& options) {
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (size_t i = 0; i < kStateFamilies; ++i) {
    families.emplace_back(std::string(StateFamilyName(static_cast<StateFamily>(i))),
                          rocksdb::ColumnFamilyOptions(options));
  }
  return families;
}

// An open database with its families.
struct Handle {
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;

  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  Handle(Handle&& other) noexcept
      : db(std::move(other.db)), families(std::exchange(other.families, {})) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    for (auto* family : families) {
      db->DestroyColumnFamilyHandle(family);
    }
  }

  rocksdb::ColumnFamilyHandle* of(StateFamily family) const {
    return families[static_cast<size_t>(family)];
  }
};

enum class Access { kReadOnly, kReadWrite, kCreate };

absl::StatusOr<Handle> OpenHandle(rocksdb::Env* env, const std::string& path, Access access) {
  rocksdb::Options options = DatabaseOptions(env);
  options.create_if_missing = access == Access::kCreate;
  options.create_missing_column_families = access == Access::kCreate;
  Handle handle;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status =
      access == Access::kReadOnly
          ? rocksdb::DB::OpenForReadOnly(options, path, Families(options), &handle.families, &db)
          : rocksdb::DB::Open(options, path, Families(options), &handle.families, &db);
  handle.db.reset(db);
  if (!status.ok() && !status.IsNoSpace() && !status.IsIOError()) {
    return MakeError(Reason::kCorrupt,
                     absl::StrCat("the state in ", path, " cannot be opened (", status.ToString(),
                                  "); bring it back from a copy"));
  }
  RETURN_IF_ERROR(StateStatus(status, "opening the state"));
  return handle;
}

absl::StatusOr<bool> GetRecord(const Handle& handle, StateFamily family, const std::string& key,
                               google::protobuf::MessageLite* value) {
  rocksdb::PinnableSlice bytes;
  const auto status = handle.db->Get(rocksdb::ReadOptions(), handle.of(family), key, &bytes);
  if (status.IsNotFound()) {
    return false;
  }
  RETURN_IF_ERROR(StateStatus(status, "reading the state"));
  if (!value->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return MakeError(Reason::kCorrupt,
                     absl::StrCat("a record of the state's family ", Absl(StateFamilyName(family)),
                                  " cannot be read; bring the state back from a copy"));
  }
  return true;
}

absl::StatusOr<state::Meta> ReadMeta(const Handle& handle) {
  state::Meta meta;
  ASSIGN_OR_RETURN(const bool found,
                   GetRecord(handle, StateFamily::kMeta, StateKeys::Meta(), &meta));
  if (!found) {
    return MakeError(Reason::kCorrupt,
                     "the state's database has lost the record that describes it; bring it back "
                     "from a copy");
  }
  if (meta.format() != kFormat) {
    return MakeError(Reason::kCorrupt,
                     absl::StrCat("the state has format ", meta.format(), ", this program reads ",
                                  kFormat, " only; run the program that wrote it"));
  }
  return meta;
}

absl::StatusOr<int64_t> CountRecords(const Handle& handle, StateFamily family) {
  std::unique_ptr<rocksdb::Iterator> it(
      handle.db->NewIterator(rocksdb::ReadOptions(), handle.of(family)));
  int64_t records = 0;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    ++records;
  }
  RETURN_IF_ERROR(StateStatus(it->status(), "counting the state's records"));
  return records;
}

absl::Status CheckWhole(const Handle& handle, uint64_t acknowledged) {
  ASSIGN_OR_RETURN(const state::Meta meta, ReadMeta(handle));
  if (meta.change() < acknowledged) {
    return MakeError(Reason::kCorrupt,
                     absl::StrCat("the state's database ends at change ", meta.change(),
                                  ", but change ", acknowledged,
                                  " was acknowledged: its last records are lost; bring it back "
                                  "from a copy"));
  }
  const Counts expected = CountsOf(meta);
  for (size_t i = 0; i < kStateFamilies; ++i) {
    const auto family = static_cast<StateFamily>(i);
    if (!IsCounted(family)) {
      continue;
    }
    ASSIGN_OR_RETURN(const int64_t records, CountRecords(handle, family));
    if (records != expected[i]) {
      return MakeError(Reason::kCorrupt,
                       absl::StrCat("the state's family ", Absl(StateFamilyName(family)), " has ",
                                    records, " records and must have ", expected[i],
                                    "; bring the state back from a copy"));
    }
  }
  return absl::OkStatus();
}

std::string RandomId() {
  std::random_device device;
  std::string bytes;
  while (bytes.size() < 16) {
    const uint32_t word = device();
    for (int shift = 0; shift < 32; shift += 8) {
      bytes += static_cast<char>(word >> shift);
    }
  }
  return absl::BytesToHexString(bytes);
}

// Makes an empty database under another name and renames it once it is whole, so that a database
// that is there is always complete.
absl::Status Make(rocksdb::Env* env, const std::string& path, const Layout& layout) {
  std::error_code error;
  fs::remove_all(layout.making, error);
  fs::create_directories(layout.making, error);
  if (error) {
    return MakeError(Reason::kUnavailable, absl::StrCat("the folder ", layout.making,
                                                        " cannot be made: ", error.message()));
  }
  {
    ASSIGN_OR_RETURN(Handle handle,
                     OpenHandle(env, Layout::Database(layout.making), Access::kCreate));
    state::Meta meta;
    meta.set_format(kFormat);
    meta.set_id(RandomId());
    meta.set_change(1);
    SetCounts(Counts{}, &meta);
    rocksdb::WriteOptions synced;
    synced.sync = true;
    RETURN_IF_ERROR(StateStatus(handle.db->Put(synced, handle.of(StateFamily::kMeta),
                                               StateKeys::Meta(), meta.SerializeAsString()),
                                "making the state's database"));
  }
  RETURN_IF_ERROR(AcknowledgedFile::Create(env, Layout::Acknowledged(layout.making)));
  RETURN_IF_ERROR(StateStatus(env->RenameFile(layout.making, layout.current),
                              "putting the new state in place"));
  std::unique_ptr<rocksdb::Directory> folder;
  RETURN_IF_ERROR(StateStatus(env->NewDirectory(path, &folder), "opening the state's folder"));
  return StateStatus(folder->Fsync(), "syncing the state's folder");
}

// Keeps other processes, and other objects of this one, out of the folder.
class FolderLock {
 public:
  static absl::StatusOr<FolderLock> Take(rocksdb::Env* env, const std::string& path) {
    rocksdb::FileLock* lock = nullptr;
    const auto status = env->LockFile(path, &lock);
    // RocksDB gives locking and opening the same code.
    if (!status.ok() && absl::StrContains(status.ToString(), "open a file for lock")) {
      return StateStatus(status, "locking the state");
    }
    if (!status.ok()) {
      return MakeError(Reason::kDataDirectoryInUse,
                       absl::StrCat("the state is in use by another daemon (", path,
                                    " is locked); stop that one or choose another data directory"));
    }
    return FolderLock(env, lock);
  }
  FolderLock(FolderLock&& other) noexcept
      : env_(other.env_), lock_(std::exchange(other.lock_, nullptr)) {}
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock() {
    if (lock_ != nullptr) {
      env_->UnlockFile(lock_);
    }
  }

 private:
  FolderLock(rocksdb::Env* env, rocksdb::FileLock* lock) : env_(env), lock_(lock) {}

  rocksdb::Env* env_;
  rocksdb::FileLock* lock_;
};

class RocksDbStateDatabase final : public StateDatabase {
 public:
  struct Parts {
    FolderLock lock;
    Handle handle;
    std::unique_ptr<AcknowledgedFile> acknowledged;
    DiskReserve reserve;
    FaultPoints* faults;
    state::Meta meta;
    bool created;
  };

  explicit RocksDbStateDatabase(Parts parts)
      : lock_(std::move(parts.lock)),
        handle_(std::move(parts.handle)),
        acknowledged_(std::move(parts.acknowledged)),
        faults_(parts.faults),
        created_(parts.created),
        reserve_(std::move(parts.reserve)),
        meta_(std::move(parts.meta)) {}

  bool created() const override { return created_; }
  const state::Meta& meta() const override { return meta_; }

  absl::StatusOr<bool> Get(StateFamily family, const std::string& key,
                           google::protobuf::MessageLite* value) const override {
    return GetRecord(handle_, family, key, value);
  }

  absl::Status Scan(StateFamily family, Order order, const std::string& from,
                    const Visitor& visit) const override;
  absl::Status Commit(const ChangeSet& change) override;
  absl::Status AppendUnsynced(StateFamily family, const std::string& key,
                              const google::protobuf::MessageLite& value) override;
  absl::Status RefillReserve() override { return reserve_.Fill(); }

 private:
  absl::Status Hit(std::string_view place) {
    return faults_ == nullptr ? absl::OkStatus() : faults_->Hit(place);
  }
  absl::StatusOr<state::Meta> MetaAfter(const ChangeSet& change) const;
  absl::StatusOr<bool> Exists(StateFamily family, const std::string& key) const;
  absl::Status WriteSynced(const ChangeSet& change, const state::Meta& meta);

  const FolderLock lock_;  // given back last
  const Handle handle_;
  const std::unique_ptr<AcknowledgedFile> acknowledged_;
  FaultPoints* const faults_;
  const bool created_;
  DiskReserve reserve_;
  state::Meta meta_;
};

absl::Status RocksDbStateDatabase::Scan(StateFamily family, Order order, const std::string& from,
                                        const Visitor& visit) const {
  std::unique_ptr<rocksdb::Iterator> it(
      handle_.db->NewIterator(rocksdb::ReadOptions(), handle_.of(family)));
  const bool ascending = order == Order::kAscending;
  if (from.empty()) {
    ascending ? it->SeekToFirst() : it->SeekToLast();
  } else if (ascending) {
    it->Seek(from);
  } else {
    it->SeekForPrev(from);
    if (it->Valid() && it->key() == from) {
      it->Prev();
    }
  }
  while (it->Valid()) {
    ASSIGN_OR_RETURN(const bool more,
                     visit(std::string_view(it->key().data(), it->key().size()),
                           std::string_view(it->value().data(), it->value().size())));
    if (!more) {
      return absl::OkStatus();
    }
    ascending ? it->Next() : it->Prev();
  }
  return StateStatus(it->status(), "reading the state");
}

absl::StatusOr<bool> RocksDbStateDatabase::Exists(StateFamily family,
                                                  const std::string& key) const {
  rocksdb::PinnableSlice bytes;
  const auto status = handle_.db->Get(rocksdb::ReadOptions(), handle_.of(family), key, &bytes);
  if (status.IsNotFound()) {
    return false;
  }
  RETURN_IF_ERROR(StateStatus(status, "reading the state"));
  return true;
}

absl::StatusOr<state::Meta> RocksDbStateDatabase::MetaAfter(const ChangeSet& change) const {
  state::Meta meta = meta_;
  meta.set_change(meta.change() + 1);
  Counts counts = CountsOf(meta_);
  for (const auto& [place, value] : change.records()) {
    if (IsCounted(place.first)) {
      ASSIGN_OR_RETURN(const bool existed, Exists(place.first, place.second));
      counts[static_cast<size_t>(place.first)] +=
          static_cast<int64_t>(value.has_value()) - static_cast<int64_t>(existed);
    }
  }
  SetCounts(counts, &meta);
  if (change.audit_head().has_value()) {
    meta.set_audit_number(change.audit_head()->number);
    meta.set_audit_head(change.audit_head()->digest);
  }
  return meta;
}

absl::Status RocksDbStateDatabase::WriteSynced(const ChangeSet& change, const state::Meta& meta) {
  rocksdb::WriteBatch batch;
  for (const auto& [place, value] : change.records()) {
    auto* family = handle_.of(place.first);
    const auto added = value.has_value() ? batch.Put(family, place.second, *value)
                                         : batch.Delete(family, place.second);
    RETURN_IF_ERROR(StateStatus(added, "collecting a change of the state"));
  }
  RETURN_IF_ERROR(StateStatus(
      batch.Put(handle_.of(StateFamily::kMeta), StateKeys::Meta(), meta.SerializeAsString()),
      "collecting a change of the state"));
  rocksdb::WriteOptions synced;
  synced.sync = true;
  rocksdb::Status written = handle_.db->Write(synced, &batch);
  if (written.IsNoSpace()) {
    reserve_.Release();
    // After a failed write RocksDB refuses others until it was told to go on, which writes what is
    // in memory and begins a new log: nothing of the failed batch stays behind.
    written = handle_.db->Resume();
    if (written.ok()) {
      written = handle_.db->Write(synced, &batch);
    }
  }
  return StateStatus(written, "writing the state");
}

absl::Status RocksDbStateDatabase::Commit(const ChangeSet& change) {
  // What an earlier change could not record comes first: nothing is acknowledged on top of a change
  // whose loss would go unnoticed.
  if (acknowledged_->number() < meta_.change()) {
    RETURN_IF_ERROR(acknowledged_->Record(meta_.change()));
  }
  ASSIGN_OR_RETURN(state::Meta meta, MetaAfter(change));
  RETURN_IF_ERROR(Hit("state.before_batch"));
  RETURN_IF_ERROR(WriteSynced(change, meta));
  meta_ = std::move(meta);
  // The change is durable whatever becomes of this; if it fails, the next one begins with it.
  acknowledged_->Record(meta_.change()).IgnoreError();
  return absl::OkStatus();
}

absl::Status RocksDbStateDatabase::AppendUnsynced(StateFamily family, const std::string& key,
                                                  const google::protobuf::MessageLite& value) {
  return StateStatus(
      handle_.db->Put(rocksdb::WriteOptions(), handle_.of(family), key, value.SerializeAsString()),
      "writing the undo of a restore");
}

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    return MakeError(Reason::kUnavailable,
                     absl::StrCat("the folder ", path, " cannot be made: ", error.message()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateDatabase>> StateDatabase::Open(const StateOptions& options) {
  rocksdb::Env* env = options.env == nullptr ? rocksdb::Env::Default() : options.env;
  const Layout layout(options.path);
  RETURN_IF_ERROR(MakeFolder(options.path));
  ASSIGN_OR_RETURN(FolderLock lock, FolderLock::Take(env, layout.in_use));

  const bool created = !env->FileExists(layout.current).ok();
  if (created) {
    RETURN_IF_ERROR(Make(env, options.path, layout));
  }
  const std::string database = Layout::Database(layout.current);
  ASSIGN_OR_RETURN(auto acknowledged,
                   AcknowledgedFile::Open(env, Layout::Acknowledged(layout.current)));
  {
    // Opening for writing throws away what cannot be read; so it is looked at first.
    ASSIGN_OR_RETURN(const Handle looked_at, OpenHandle(env, database, Access::kReadOnly));
    RETURN_IF_ERROR(CheckWhole(looked_at, acknowledged->number()));
  }
  ASSIGN_OR_RETURN(Handle handle, OpenHandle(env, database, Access::kReadWrite));
  ASSIGN_OR_RETURN(state::Meta meta, ReadMeta(handle));
  DiskReserve reserve(env, layout.reserve, options.reserve_bytes);
  // A full disk is no reason not to open: the reserve is there to be used then.
  reserve.Fill().IgnoreError();
  return std::make_unique<RocksDbStateDatabase>(
      RocksDbStateDatabase::Parts{std::move(lock), std::move(handle), std::move(acknowledged),
                                  std::move(reserve), options.faults, std::move(meta), created});
}

}  // namespace reinstate

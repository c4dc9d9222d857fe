#include "storage/state/state_database.h"

#include <google/protobuf/message_lite.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/write_batch.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/rocks/folder_lock.h"
#include "storage/rocks/rocksdb_status.h"
#include "storage/state/acknowledged_file.h"
#include "storage/state/disk_reserve.h"
#include "storage/state/state_handle.h"
#include "storage/state/state_meta.h"

namespace reinstate {
namespace {

namespace fs = std::filesystem;

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
    ASSIGN_OR_RETURN(
        const StateHandle handle,
        StateHandle::Open(env, Layout::Database(layout.making), StateHandle::Access::kCreate));
    rocksdb::WriteOptions synced;
    synced.sync = true;
    RETURN_IF_ERROR(FromRocksdb(handle.db()->Put(synced, handle.of(StateFamily::kMeta),
                                                 StateKeys::Meta(), NewMeta().SerializeAsString()),
                                "making the state's database"));
  }
  RETURN_IF_ERROR(AcknowledgedFile::Create(env, Layout::Acknowledged(layout.making)));
  RETURN_IF_ERROR(FromRocksdb(env->RenameFile(layout.making, layout.current),
                              "putting the new state in place"));
  std::unique_ptr<rocksdb::Directory> folder;
  RETURN_IF_ERROR(FromRocksdb(env->NewDirectory(path, &folder), "opening the state's folder"));
  return FromRocksdb(folder->Fsync(), "syncing the state's folder");
}

class RocksDbStateDatabase final : public StateDatabase {
 public:
  struct Parts {
    std::unique_ptr<FolderLock> lock;
    StateHandle handle;
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
    return handle_.Get(family, key, value);
  }

  absl::Status Scan(StateFamily family, Order order, const std::string& from,
                    const Visitor& visit) const override;
  absl::Status Commit(const ChangeSet& change) override;
  absl::Status AppendUnsynced(StateFamily family, const std::string& key,
                              std::string_view value) override;
  absl::Status RefillReserve() override { return reserve_.Fill(); }

 private:
  absl::Status Hit(std::string_view place) {
    return faults_ == nullptr ? absl::OkStatus() : faults_->Hit(place);
  }
  absl::StatusOr<state::Meta> MetaAfter(const ChangeSet& change) const;
  absl::StatusOr<bool> Exists(StateFamily family, const std::string& key) const;
  absl::Status WriteSynced(const ChangeSet& change, const state::Meta& meta);

  const std::unique_ptr<FolderLock> lock_;  // given back last
  const StateHandle handle_;
  const std::unique_ptr<AcknowledgedFile> acknowledged_;
  FaultPoints* const faults_;
  const bool created_;
  DiskReserve reserve_;
  state::Meta meta_;
};

absl::Status RocksDbStateDatabase::Scan(StateFamily family, Order order, const std::string& from,
                                        const Visitor& visit) const {
  std::unique_ptr<rocksdb::Iterator> it(
      handle_.db()->NewIterator(rocksdb::ReadOptions(), handle_.of(family)));
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
  return FromRocksdb(it->status(), "reading the state");
}

absl::StatusOr<bool> RocksDbStateDatabase::Exists(StateFamily family,
                                                  const std::string& key) const {
  rocksdb::PinnableSlice bytes;
  const auto status = handle_.db()->Get(rocksdb::ReadOptions(), handle_.of(family), key, &bytes);
  if (status.IsNotFound()) {
    return false;
  }
  RETURN_IF_ERROR(FromRocksdb(status, "reading the state"));
  return true;
}

absl::StatusOr<state::Meta> RocksDbStateDatabase::MetaAfter(const ChangeSet& change) const {
  state::Meta meta = meta_;
  meta.set_change(meta.change() + 1);
  StateCounts counts = CountsOf(meta_);
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
    RETURN_IF_ERROR(FromRocksdb(added, "collecting a change of the state"));
  }
  RETURN_IF_ERROR(FromRocksdb(
      batch.Put(handle_.of(StateFamily::kMeta), StateKeys::Meta(), meta.SerializeAsString()),
      "collecting a change of the state"));
  rocksdb::WriteOptions synced;
  synced.sync = true;
  rocksdb::Status written = handle_.db()->Write(synced, &batch);
  if (written.IsNoSpace()) {
    reserve_.Release();
    // After a failed write RocksDB refuses others until it was told to go on, which writes what is
    // in memory and begins a new log: nothing of the failed batch stays behind.
    written = handle_.db()->Resume();
    if (written.ok()) {
      written = handle_.db()->Write(synced, &batch);
    }
  }
  return FromRocksdb(written, "writing the state");
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
                                                  std::string_view value) {
  return FromRocksdb(handle_.db()->Put(rocksdb::WriteOptions(), handle_.of(family), key,
                                       rocksdb::Slice(value.data(), value.size())),
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
  ASSIGN_OR_RETURN(
      std::unique_ptr<FolderLock> lock,
      FolderLock::Take(env, layout.in_use, absl::StrCat("the state in ", options.path)));

  const bool created = !env->FileExists(layout.current).ok();
  if (created) {
    RETURN_IF_ERROR(Make(env, options.path, layout));
  }
  const std::string database = Layout::Database(layout.current);
  ASSIGN_OR_RETURN(auto acknowledged,
                   AcknowledgedFile::Open(env, Layout::Acknowledged(layout.current)));
  {
    // Opening for writing throws away what cannot be read; so it is looked at first.
    ASSIGN_OR_RETURN(const StateHandle looked_at,
                     StateHandle::Open(env, database, StateHandle::Access::kReadOnly));
    RETURN_IF_ERROR(CheckWhole(looked_at, acknowledged->number()));
  }
  ASSIGN_OR_RETURN(StateHandle handle,
                   StateHandle::Open(env, database, StateHandle::Access::kReadWrite));
  ASSIGN_OR_RETURN(state::Meta meta, ReadMeta(handle));
  DiskReserve reserve(env, layout.reserve, options.reserve_bytes);
  // A full disk is no reason not to open: the reserve is there to be used then.
  reserve.Fill().IgnoreError();
  return std::make_unique<RocksDbStateDatabase>(
      RocksDbStateDatabase::Parts{std::move(lock), std::move(handle), std::move(acknowledged),
                                  std::move(reserve), options.faults, std::move(meta), created});
}

}  // namespace reinstate

#include "storage/state/state_handle.h"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/rocks/rocksdb_status.h"

namespace reinstate {
namespace {

constexpr size_t kWriteBufferBytes = 16 << 20;
constexpr size_t kMaxWalBytes = 64 << 20;
constexpr size_t kBlockCacheBytes = 8 << 20;
// What is written is handed to the disk in such pieces. All of it at once, when a table of undo is
// done, would hold up the commits of a database on the same disk for a fraction of a second.
constexpr size_t kBytesPerSync = 512 << 10;

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
  options.bytes_per_sync = kBytesPerSync;
  options.wal_bytes_per_sync = kBytesPerSync;
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

}  // namespace

StateHandle::StateHandle(StateHandle&& other) noexcept
    : db_(std::move(other.db_)), families_(std::exchange(other.families_, {})) {}

StateHandle::~StateHandle() {
  for (auto* family : families_) {
    db_->DestroyColumnFamilyHandle(family).PermitUncheckedError();
  }
}

absl::StatusOr<StateHandle> StateHandle::Open(rocksdb::Env* env, const std::string& path,
                                              Access access) {
  rocksdb::Options options = DatabaseOptions(env);
  options.create_if_missing = access == Access::kCreate;
  options.create_missing_column_families = access == Access::kCreate;
  StateHandle handle;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status =
      access == Access::kReadOnly
          ? rocksdb::DB::OpenForReadOnly(options, path, Families(options), &handle.families_, &db)
          : rocksdb::DB::Open(options, path, Families(options), &handle.families_, &db);
  handle.db_.reset(db);
  if (!status.ok() && !status.IsNoSpace() && !status.IsIOError()) {
    return MakeError(Reason::kCorrupt,
                     absl::StrCat("the state in ", path, " cannot be opened (", status.ToString(),
                                  "); bring it back from a copy"));
  }
  RETURN_IF_ERROR(FromRocksdb(status, "opening the state"));
  return handle;
}

absl::StatusOr<bool> StateHandle::Get(StateFamily family, const std::string& key,
                                      google::protobuf::MessageLite* value) const {
  rocksdb::PinnableSlice bytes;
  const auto status = db_->Get(rocksdb::ReadOptions(), of(family), key, &bytes);
  if (status.IsNotFound()) {
    return false;
  }
  RETURN_IF_ERROR(FromRocksdb(status, "reading the state"));
  if (!value->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return MakeError(Reason::kCorrupt,
                     absl::StrCat("a record of the state's family ", Absl(StateFamilyName(family)),
                                  " cannot be read; bring the state back from a copy"));
  }
  return true;
}

}  // namespace reinstate

#include "storage/live/rocksdb/embedded_db.h"

#include <rocksdb/cache.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <random>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/rocks/rocksdb_status.h"
#include "storage/rocks/slices.h"

namespace reinstate {
namespace {

// In the order of families_.
constexpr std::array kFamilyNames = {"default", "records", "heads", "tables"};

// Below the store's folder, so that files can be moved from it into the database.
constexpr char kBuiltFolder[] = "/building";

std::string NewStoreId() {
  std::random_device random;
  std::string bytes;
  while (bytes.size() < 16) {
    const uint32_t word = random();
    bytes.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  return absl::StrCat("embedded-", absl::BytesToHexString(bytes));
}

// Counts errors of background work. Keeps RocksDB from recovering by itself, which looks for space
// every few seconds only and refuses to be told in between: EmbeddedDb::Settle does it.
class ErrorListener final : public rocksdb::EventListener {
 public:
  explicit ErrorListener(std::atomic<uint64_t>* failures) : failures_(failures) {}

  void OnBackgroundError(rocksdb::BackgroundErrorReason /*reason*/,
                         rocksdb::Status* /*error*/) override {
    ++*failures_;
  }

  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*error*/,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }

 private:
  std::atomic<uint64_t>* const failures_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<EmbeddedDb>> EmbeddedDb::Open(EmbeddedStoreOptions options) {
  auto db = std::unique_ptr<EmbeddedDb>(new EmbeddedDb(std::move(options)));
  std::error_code error;
  std::filesystem::create_directory(db->options_.path, error);
  if (error) {
    return MakeError(
        error == std::errc::no_space_on_device ? Reason::kNoSpace : Reason::kUnavailable,
        absl::StrCat("cannot make the folder ", db->options_.path,
                     " of the store: ", error.message()));
  }
  const rocksdb::Options database_options = db->DatabaseOptions();
  ASSIGN_OR_RETURN(db->acknowledged_,
                   AcknowledgedCounts::Open(db->options_.path + "/ACKNOWLEDGED"));
  RETURN_IF_ERROR(db->CheckBeforeWriting(database_options));
  RETURN_IF_ERROR(db->OpenForWriting(database_options));
  RETURN_IF_ERROR(db->ClearBuiltFiles());
  RETURN_IF_ERROR(db->LoadMeta());
  RETURN_IF_ERROR(db->LoadCounts());
  RETURN_IF_ERROR(db->LoadTables());
  return db;
}

EmbeddedDb::~EmbeddedDb() {
  for (rocksdb::ColumnFamilyHandle* family : families_) {
    db_->DestroyColumnFamilyHandle(family);
  }
}

rocksdb::Options EmbeddedDb::DatabaseOptions() {
  rocksdb::Options options;
  if (options_.env != nullptr) {
    options.env = options_.env;
  }
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.fail_if_options_file_error = true;
  options.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  // Stops at the first damage, so that nothing after a gap shows; whether what it then has is all
  // that was acknowledged, the counts say. (kAbsoluteConsistency would refuse the half record that
  // every kill in the middle of a write leaves.)
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // Families are flushed together, so that what is lost by a cut-off MANIFEST is lost of all of
  // them, the counts included.
  options.atomic_flush = true;
  options.write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(options_.write_buffer_bytes);
  options.max_total_wal_size = 2 * options_.write_buffer_bytes;
  // Spread the work of the sync at the end of a large session.
  options.wal_bytes_per_sync = 1 << 20;
  options.bytes_per_sync = 1 << 20;
  options.max_background_jobs = 3;
  // Compactions have time; restores and the application have none.
  options.env->LowerThreadPoolCPUPriority(rocksdb::Env::Priority::LOW);
  options.compaction_readahead_size = 2 << 20;
  options.keep_log_file_num = 4;
  options.max_log_file_size = 4 << 20;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.max_open_files = 512;
  options.max_bgerror_resume_count = 0;
  options.listeners.push_back(std::make_shared<ErrorListener>(&failures_));
  return options;
}

rocksdb::ColumnFamilyOptions EmbeddedDb::FamilyOptions() const {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options_.block_cache_bytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // So that they count as what the cache may take: else those of each open file stay in memory.
  table.cache_index_and_filter_blocks = true;
  table.block_size = 16 << 10;
  table.format_version = 5;
  rocksdb::ColumnFamilyOptions family;
  family.level_compaction_dynamic_level_bytes = true;
  family.compression = rocksdb::kLZ4Compression;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  family.write_buffer_size = options_.write_buffer_bytes / 3;
  // Files that were taken over lie there beside each other: many are no burden. Each compaction
  // rewrites what lies around them in the last level, and so takes more than the restores of small
  // tenants where it comes with every fourth of them; nor is the application to wait for it.
  family.level0_file_num_compaction_trigger = 16;
  family.level0_slowdown_writes_trigger = 128;
  family.level0_stop_writes_trigger = 256;
  return family;
}

std::vector<rocksdb::ColumnFamilyDescriptor> EmbeddedDb::Families() const {
  const rocksdb::ColumnFamilyOptions family = FamilyOptions();
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  families.reserve(kFamilyNames.size());
  for (const char* name : kFamilyNames) {
    families.emplace_back(name, family);
  }
  return families;
}

absl::Status EmbeddedDb::OpenForWriting(const rocksdb::Options& options) {
  rocksdb::DB* db = nullptr;
  RETURN_IF_ERROR(
      FromRocksdb(rocksdb::DB::Open(options, options_.path, Families(), &families_, &db),
                  absl::StrCat("cannot open the store in ", options_.path)));
  db_.reset(db);
  built_options_ = rocksdb::Options(options, FamilyOptions());
  return absl::OkStatus();
}

// What an earlier process did not get to hand over, or to remove.
absl::Status EmbeddedDb::ClearBuiltFiles() {
  const std::string folder = options_.path + kBuiltFolder;
  rocksdb::Env* const env = db_->GetEnv();
  RETURN_IF_ERROR(
      FromRocksdb(env->CreateDirIfMissing(folder), "cannot make a folder of the store"));
  std::vector<std::string> names;
  RETURN_IF_ERROR(
      FromRocksdb(env->GetChildren(folder, &names), "cannot read a folder of the store"));
  for (const std::string& name : names) {
    env->DeleteFile(absl::StrCat(folder, "/", name)).PermitUncheckedError();
  }
  return absl::OkStatus();
}

std::string EmbeddedDb::NewBuiltFilePath() {
  return absl::StrCat(options_.path, kBuiltFolder, "/", ++built_files_, ".sst");
}

void EmbeddedDb::RemoveBuiltFile(const BuiltFile& file) {
  db_->GetEnv()->DeleteFile(file.path).PermitUncheckedError();
}

absl::Status EmbeddedDb::Ingest(const std::vector<BuiltFile>& files) {
  RETURN_IF_ERROR(Settle());
  rocksdb::IngestExternalFileArg arg;
  arg.column_family = records();
  for (const BuiltFile& file : files) {
    arg.external_files.push_back(file.path);
    arg.files_checksums.push_back(file.checksum);
    arg.files_checksum_func_names.push_back(file.checksum_name);
  }
  arg.options.move_files = true;
  arg.options.failed_move_fall_back_to_copy = true;
  arg.options.snapshot_consistency = true;
  arg.options.write_global_seqno = false;
  arg.options.verify_file_checksum = false;  // it was computed when they were written
  return AfterWrite(db_->IngestExternalFiles({arg}));
}

absl::Status EmbeddedDb::LoadMeta() {
  ASSIGN_OR_RETURN(const std::optional<std::string> format,
                   Get(meta(), EmbeddedKeyCodec::kFormatKey, nullptr));
  if (!format) {
    store_id_ = NewStoreId();
    rocksdb::WriteBatch batch;
    batch.Put(meta(), ToSlice(EmbeddedKeyCodec::kFormatKey), ToSlice(EmbeddedKeyCodec::kFormat));
    batch.Put(meta(), ToSlice(EmbeddedKeyCodec::kStoreIdKey), store_id_);
    return WriteSynced(&batch, {});
  }
  if (*format != EmbeddedKeyCodec::kFormat) {
    return MakeError(
        Reason::kUnsupported,
        absl::StrCat("the store in ", options_.path, " has format \"", Printable(*format),
                     "\"; this program reads format ", Absl(EmbeddedKeyCodec::kFormat)));
  }
  ASSIGN_OR_RETURN(const std::optional<std::string> id,
                   Get(meta(), EmbeddedKeyCodec::kStoreIdKey, nullptr));
  if (!id) {
    return MakeError(Reason::kCorrupt,
                     absl::StrCat("the store in ", options_.path, " has lost its id"));
  }
  store_id_ = *id;
  return absl::OkStatus();
}

absl::Status EmbeddedDb::LoadCounts() {
  for (uint32_t shard = 0; shard < AcknowledgedCounts::kShards; ++shard) {
    ASSIGN_OR_RETURN(const std::optional<std::string> value,
                     Get(meta(), EmbeddedKeyCodec::CountKey(shard), nullptr));
    if (value && !EmbeddedKeyCodec::DecodeNumber(*value, &counts_[shard])) {
      return MakeError(Reason::kCorrupt, "a count of the store's writes is malformed");
    }
  }
  return absl::OkStatus();
}

absl::Status EmbeddedDb::LoadTables() {
  MutexLock lock(&tables_mu_);
  const std::unique_ptr<rocksdb::Iterator> names(
      db_->NewIterator(rocksdb::ReadOptions(), tables()));
  for (names->SeekToFirst(); names->Valid(); names->Next()) {
    table_names_.insert(names->key().ToString());
  }
  return FromRocksdb(names->status(), "cannot read the names of the store's tables");
}

absl::Status EmbeddedDb::Fault(std::string_view place) const {
  return options_.faults == nullptr ? absl::OkStatus() : options_.faults->Hit(place);
}

SnapshotPtr EmbeddedDb::TakeSnapshot() const {
  return {db_->GetSnapshot(),
          [db = db_.get()](const rocksdb::Snapshot* snapshot) { db->ReleaseSnapshot(snapshot); }};
}

absl::StatusOr<std::optional<std::string>> EmbeddedDb::Get(
    rocksdb::ColumnFamilyHandle* family, std::string_view key,
    const rocksdb::Snapshot* snapshot) const {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  std::string value;
  const rocksdb::Status status = db_->Get(options, family, ToSlice(key), &value);
  if (status.IsNotFound()) {
    return std::nullopt;
  }
  RETURN_IF_ERROR(FromRocksdb(status, "cannot read from the store"));
  return value;
}

absl::StatusOr<std::optional<TenantHead>> EmbeddedDb::ReadHead(
    const TenantId& tenant, const rocksdb::Snapshot* snapshot) const {
  ASSIGN_OR_RETURN(const std::optional<std::string> value, Get(heads(), tenant.value(), snapshot));
  if (!value) {
    return std::nullopt;
  }
  TenantHead head;
  if (!EmbeddedKeyCodec::DecodeHead(*value, &head)) {
    return MakeError(Reason::kCorrupt, absl::StrCat("the head of tenant \"",
                                                    Printable(tenant.value()), "\" is malformed"));
  }
  return head;
}

bool EmbeddedDb::HasTable(std::string_view name) const {
  MutexLock lock(&tables_mu_);
  return table_names_.contains(name);
}

void EmbeddedDb::AddTable(const std::string& name) {
  MutexLock lock(&tables_mu_);
  table_names_.insert(name);
}

absl::Status EmbeddedDb::AfterWrite(const rocksdb::Status& status) {
  if (!status.ok()) {
    ++failures_;
  }
  return FromRocksdb(status, "cannot write to the store");
}

absl::Status EmbeddedDb::Write(rocksdb::WriteBatch* batch) {
  RETURN_IF_ERROR(Settle());
  return AfterWrite(db_->Write(rocksdb::WriteOptions(), batch));
}

absl::Status EmbeddedDb::WriteSynced(rocksdb::WriteBatch* batch, std::span<const uint32_t> shards) {
  RETURN_IF_ERROR(Settle());
  for (const uint32_t shard : shards) {
    batch->Put(meta(), EmbeddedKeyCodec::CountKey(shard),
               EmbeddedKeyCodec::EncodeNumber(counts_[shard] + 1));
  }
  rocksdb::WriteOptions options;
  options.sync = true;
  RETURN_IF_ERROR(AfterWrite(db_->Write(options, batch)));
  for (const uint32_t shard : shards) {
    acknowledged_->Set(shard, ++counts_[shard]);
  }
  return absl::OkStatus();
}

// NO_SPACE unless there is space for what the memtables hold. To resume without makes RocksDB 7.8
// take the error for a fatal one, which nothing but opening it again gets it out of.
absl::Status EmbeddedDb::CheckSpace() const {
  constexpr uint64_t kProbeBytes = 64 << 10;
  rocksdb::Env* const env = db_->GetEnv();
  uint64_t buffered = 0;
  db_->GetAggregatedIntProperty(rocksdb::DB::Properties::kSizeAllMemTables, &buffered);
  uint64_t free_bytes = 0;
  if (env->GetFreeSpace(options_.path, &free_bytes).ok() && free_bytes < 2 * buffered) {
    return MakeError(Reason::kNoSpace,
                     absl::StrCat("the disk of ", options_.path, " has ", free_bytes >> 20,
                                  " MiB left; the store needs ", (2 * buffered) >> 20,
                                  " MiB to take writes again"));
  }
  const std::string path = options_.path + "/SPACE_PROBE";
  const rocksdb::Status probed =
      rocksdb::WriteStringToFile(env, std::string(kProbeBytes, '\0'), path, /*should_sync=*/true);
  env->DeleteFile(path).PermitUncheckedError();
  return FromRocksdb(probed, "the store does not take writes");
}

absl::Status EmbeddedDb::Settle() {
  if (!is_suspect()) {
    return absl::OkStatus();
  }
  MutexLock lock(&settle_mu_);
  // Writes that fail from here on are not settled by this.
  const uint64_t failures = failures_;
  if (failures == settled_failures_) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(CheckSpace());
  RETURN_IF_ERROR(FromRocksdb(
      db_->Resume(), "the store does not take writes; if this stays so, restart the program"));
  // What failed is not in the memtables, but it may be in the log. Once these are on disk, that log
  // will never be read again.
  RETURN_IF_ERROR(FromRocksdb(
      db_->Put(rocksdb::WriteOptions(), meta(), ToSlice(EmbeddedKeyCodec::kBarrierKey), {}),
      "the store does not take writes"));
  RETURN_IF_ERROR(FromRocksdb(db_->Flush(rocksdb::FlushOptions(), families_),
                              "the store does not take writes"));
  settled_failures_ = failures;
  return absl::OkStatus();
}

}  // namespace reinstate

#include "storage/history/history_db.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <array>
#include <set>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/parallel.h"
#include "storage/base/periodic_thread.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/history/file_checksum.h"
#include "storage/history/history_status.h"
#include "storage/history/sealed_value.h"
#include "storage/history/tenant_blocks.h"

namespace reinstate {
namespace {

constexpr std::array kFamilies = {Family::kRecords, Family::kManifests, Family::kRoots,
                                  Family::kSchemas, Family::kCatalog};

// Few, so that several large blocks fit into each shard.
constexpr int kCacheShardBits = 2;

// The database itself is not written with less than this free: where RocksDB 7.8 (as Debian builds
// it, with assertions) has failed to write its log or manifest, it says that it has recovered, and
// then fails an assertion in the next write.
constexpr uint64_t kReservedBytes = 16 << 20;

constexpr char kLockFile[] = "LOCK";
constexpr int kCheckingThreads = 2;
constexpr absl::Duration kCompactionLooks = absl::Milliseconds(50);  // between: is it cancelled?
constexpr char kDatabaseFolder[] = "db";
constexpr char kStagingFolder[] = "staging";

std::string NameOf(Family family) {
  switch (family) {
    case Family::kRecords:
      return "records";
    case Family::kManifests:
      return "manifests";
    case Family::kRoots:
      return "roots";
    case Family::kSchemas:
      return "schemas";
    case Family::kCatalog:
      return "catalog";
  }
  return "";
}

// A block of records ends with its tenant if it holds as much.
constexpr size_t kLeastRecordsBlockBytes = 32 << 10;

// Large blocks compress better: with records of 240 bytes 1 MiB takes 12 % less than 64 KiB. A
// manifest is looked up alone.
size_t BlockBytes(Family family) {
  switch (family) {
    case Family::kRecords:
      return 1 << 20;
    case Family::kManifests:
      return 16 << 10;
    default:
      return 4 << 10;
  }
}

std::string Join(const std::string& folder, std::string_view name) {
  return absl::StrCat(folder, "/", Absl(name));
}

absl::StatusOr<std::vector<std::string>> ListFolder(rocksdb::Env* env, const std::string& folder) {
  std::vector<std::string> names;
  const rocksdb::Status status = env->GetChildren(folder, &names);
  if (status.IsNotFound() || status.IsPathNotFound()) {
    return std::vector<std::string>();
  }
  RETURN_IF_ERROR(HistoryStatus(status, "list its folder"));
  std::erase_if(names, [](const std::string& name) { return name == "." || name == ".."; });
  return names;
}

// Refuses a folder that holds something else, before anything is put into it.
absl::Status CheckFolder(rocksdb::Env* env, const std::string& path) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFolder(env, path));
  for (const std::string& name : names) {
    if (name != kLockFile && name != kDatabaseFolder && name != kStagingFolder) {
      return MakeError(Reason::kHistoryWrongFormat,
                       absl::StrCat("The folder ", path, " holds \"", name,
                                    "\", which is not part of a history. Name an empty folder."));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> HoldsTables(rocksdb::Env* env, const std::string& database) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFolder(env, database));
  return std::ranges::any_of(names, [](const std::string& name) { return name.ends_with(".sst"); });
}

enum class Found { kNothing, kUnfinishedCreation, kDatabase };

absl::StatusOr<Found> LookForDatabase(rocksdb::Env* env, const std::string& database) {
  ASSIGN_OR_RETURN(const bool tables, HoldsTables(env, database));
  std::set<std::string> missing = {"default"};
  for (const Family family : kFamilies) {
    missing.insert(NameOf(family));
  }
  if (env->FileExists(Join(database, "CURRENT")).ok()) {
    std::vector<std::string> names;
    rocksdb::DBOptions options;
    options.env = env;
    RETURN_IF_ERROR(HistoryStatus(rocksdb::DB::ListColumnFamilies(options, database, &names),
                                  "list its column families"));
    for (const std::string& name : names) {
      if (missing.erase(name) == 0) {
        return MakeError(Reason::kHistoryWrongFormat,
                         absl::StrCat("The database in ", database, " is not a history: it has a ",
                                      "column family \"", name, "\"."));
      }
    }
    if (missing.empty()) {
      return Found::kDatabase;
    }
  }
  if (tables) {
    return MakeError(
        Reason::kHistoryIncomplete,
        absl::StrCat("The folder ", database, " holds tables of a history, but what ",
                     "lists them is damaged or gone. Nothing was written. Restore the ",
                     "folder from a copy."));
  }
  const bool begun = missing.size() <= kFamilies.size();
  return begun ? Found::kUnfinishedCreation : Found::kNothing;
}

rocksdb::DBOptions DatabaseOptions(rocksdb::Env* env) {
  rocksdb::DBOptions options;
  options.env = env;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.fail_if_options_file_error = true;
  options.file_checksum_gen_factory = TableChecksumFactory();
  // A damaged log must not pass for a shorter one; only an unfinished last write may be dropped.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.compaction_readahead_size = 2 << 20;
  options.max_background_jobs = 2;
  options.max_open_files = 512;
  options.max_file_opening_threads = 2;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.keep_log_file_num = 4;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  return options;
}

rocksdb::ColumnFamilyOptions FamilyOptions(Family family,
                                           const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_size = BlockBytes(family);
  if (family == Family::kRecords) {
    table.flush_block_policy_factory = EndBlocksWithTenants(kLeastRecordsBlockBytes);
  }
  table.block_restart_interval = family == Family::kRecords ? 128 : 16;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;

  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kZSTD;
  options.compression_opts.level = 3;
  options.level_compaction_dynamic_level_bytes = true;
  options.write_buffer_size = 4 << 20;  // the catalog's; the others have no writes
  // A snapshot adds a few files; merging them into the last level rewrites much of it, so that is
  // done once for several snapshots. Ingestion is never to be held up for it.
  options.level0_file_num_compaction_trigger = 12;
  options.level0_slowdown_writes_trigger = 1 << 20;
  options.level0_stop_writes_trigger = 1 << 20;
  return options;
}

absl::StatusOr<std::unique_ptr<FolderLock>> TakeLock(rocksdb::Env* env, const std::string& path) {
  return FolderLock::Take(env, Join(path, kLockFile), absl::StrCat("the history in ", path));
}

}  // namespace

HistoryDb::HistoryDb(const Options& options)
    : options_(options),
      env_(options.env != nullptr ? options.env : rocksdb::Env::Default()),
      cache_(
          rocksdb::NewLRUCache(static_cast<size_t>(options.block_cache_bytes), kCacheShardBits)) {}

HistoryDb::~HistoryDb() {
  if (db_ != nullptr) {
    rocksdb::CancelAllBackgroundWork(db_.get(), /*wait=*/true);
    for (rocksdb::ColumnFamilyHandle* handle : handles_) {
      db_->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
    }
    db_->Close().PermitUncheckedError();
  }
}

absl::StatusOr<std::unique_ptr<HistoryDb>> HistoryDb::Open(const Options& options,
                                                           const Inspection& inspect) {
  std::unique_ptr<HistoryDb> opened(new HistoryDb(options));
  rocksdb::Env* const env = opened->env_;
  RETURN_IF_ERROR(CheckFolder(env, options.path));
  RETURN_IF_ERROR(HistoryStatus(env->CreateDirIfMissing(options.path), "create its folder"));
  ASSIGN_OR_RETURN(opened->lock_, TakeLock(env, options.path));
  RETURN_IF_ERROR(InspectExisting(options, inspect));
  RETURN_IF_ERROR(opened->OpenDatabase(/*read_only=*/false));
  RETURN_IF_ERROR(HistoryStatus(env->CreateDirIfMissing(Join(options.path, kStagingFolder)),
                                "create its staging folder"));
  RETURN_IF_ERROR(opened->ClearStaging());
  return opened;
}

absl::StatusOr<std::unique_ptr<HistoryDb>> HistoryDb::OpenReadOnly(const Options& options) {
  std::unique_ptr<HistoryDb> opened(new HistoryDb(options));
  RETURN_IF_ERROR(CheckFolder(opened->env_, options.path));
  ASSIGN_OR_RETURN(const Found found,
                   LookForDatabase(opened->env_, Join(options.path, kDatabaseFolder)));
  if (found != Found::kDatabase) {
    return MakeError(Reason::kHistoryIncomplete,
                     absl::StrCat("There is no history in ", options.path, " that could be read."));
  }
  ASSIGN_OR_RETURN(opened->lock_, TakeLock(opened->env_, options.path));
  RETURN_IF_ERROR(opened->OpenDatabase(/*read_only=*/true));
  return opened;
}

absl::Status HistoryDb::InspectExisting(const Options& options, const Inspection& inspect) {
  HistoryDb reader(options);
  ASSIGN_OR_RETURN(const Found found,
                   LookForDatabase(reader.env_, Join(options.path, kDatabaseFolder)));
  if (found != Found::kDatabase) {
    return inspect(nullptr);
  }
  RETURN_IF_ERROR(reader.OpenDatabase(/*read_only=*/true));
  return inspect(&reader);
}

absl::Status HistoryDb::OpenDatabase(bool read_only) {
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  families.emplace_back(rocksdb::kDefaultColumnFamilyName, FamilyOptions(Family::kCatalog, cache_));
  for (const Family family : kFamilies) {
    families.emplace_back(NameOf(family), FamilyOptions(family, cache_));
  }
  const std::string path = Join(options_.path, kDatabaseFolder);
  rocksdb::DB* db = nullptr;
  const rocksdb::DBOptions options = DatabaseOptions(env_);
  const rocksdb::Status status =
      read_only ? rocksdb::DB::OpenForReadOnly(options, path, families, &handles_, &db)
                : rocksdb::DB::Open(options, path, families, &handles_, &db);
  RETURN_IF_ERROR(HistoryStatus(status, "open its database"));
  db_.reset(db);
  read_only_ = read_only;
  return absl::OkStatus();
}

rocksdb::ColumnFamilyHandle* HistoryDb::Handle(Family family) const {
  return handles_[static_cast<size_t>(family) + 1];
}

absl::StatusOr<std::optional<std::string>> HistoryDb::Get(Family family,
                                                          std::string_view key) const {
  std::string sealed;
  const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), Handle(family), key, &sealed);
  if (status.IsNotFound()) {
    return std::nullopt;
  }
  RETURN_IF_ERROR(HistoryStatus(status, absl::StrCat("read from ", NameOf(family))));
  ASSIGN_OR_RETURN(const std::string_view body, Unseal(key, sealed));
  return std::string(body);
}

std::unique_ptr<rocksdb::Iterator> HistoryDb::NewIterator(
    Family family, const rocksdb::ReadOptions& options) const {
  return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, Handle(family)));
}

absl::Status HistoryDb::CheckWritable() const {
  if (read_only_) {
    return MakeError(Reason::kHistoryIncomplete,
                     "The history is open for reading only; nothing was changed.");
  }
  if (write_failed_) {
    return MakeError(Reason::kUnavailable,
                     "A write to the history's database failed in the middle, so that it takes no "
                     "changes until the daemon is started again. It can still be read.");
  }
  uint64_t free_bytes = kReservedBytes;
  const rocksdb::Status known = env_->GetFreeSpace(options_.path, &free_bytes);
  if (known.ok() && free_bytes < kReservedBytes) {
    return MakeError(Reason::kNoSpace,
                     absl::StrCat("The disk of the history's folder ", options_.path,
                                  " is full. Nothing has changed. Make room, then try again."));
  }
  return absl::OkStatus();
}

absl::Status HistoryDb::NoteWrite(const rocksdb::Status& status, std::string_view what) {
  if (!status.ok()) {
    write_failed_ = true;
  }
  return HistoryStatus(status, what);
}

absl::Status HistoryDb::PutCatalog(std::string_view key, std::string body, Durability durability) {
  RETURN_IF_ERROR(CheckWritable());
  Seal(key, &body);
  RETURN_IF_ERROR(NoteWrite(db_->Put(rocksdb::WriteOptions(), Handle(Family::kCatalog), key, body),
                            "write its catalog"));
  return durability == Durability::kFlushed ? FlushCatalog() : absl::OkStatus();
}

absl::Status HistoryDb::FlushCatalog() {
  return NoteWrite(db_->Flush(rocksdb::FlushOptions(), Handle(Family::kCatalog)),
                   "flush its catalog");
}

// Reads each file that was not read before, and compares its checksum with the one from when it was
// written, which leaves nothing to those of its blocks. RocksDB would read one file after the
// other.
absl::Status HistoryDb::CheckFiles(const std::vector<FamilyFiles>& families) const {
  std::vector<std::function<absl::Status()>> checks;
  for (const FamilyFiles& family : families) {
    for (const StagedTable& file : family.files) {
      if (!file.checked) {
        checks.emplace_back([this, &file] {
          return CheckTableFile(env_, file.path, file.checksum, file.checksum_function);
        });
      }
    }
  }
  return RunInParallel(kCheckingThreads, checks);
}

absl::Status HistoryDb::Ingest(const std::vector<FamilyFiles>& families) {
  RETURN_IF_ERROR(CheckWritable());
  RETURN_IF_ERROR(CheckFiles(families));
  std::vector<rocksdb::IngestExternalFileArg> args;
  for (const FamilyFiles& family : families) {
    if (family.files.empty()) {
      continue;
    }
    rocksdb::IngestExternalFileArg arg;
    arg.column_family = Handle(family.family);
    for (const StagedTable& file : family.files) {
      arg.external_files.push_back(file.path);
      arg.files_checksums.push_back(file.checksum);
      arg.files_checksum_func_names.push_back(file.checksum_function);
    }
    arg.options.move_files = true;
    arg.options.failed_move_fall_back_to_copy = true;
    arg.options.write_global_seqno = false;
    arg.options.verify_file_checksum = false;  // CheckFiles has
    args.push_back(std::move(arg));
  }
  return NoteWrite(db_->IngestExternalFiles(args), "add files to its database");
}

absl::Status HistoryDb::Compact(Family family, std::string_view begin, std::string_view end,
                                const std::function<bool()>& cancelled) {
  RETURN_IF_ERROR(CheckWritable());
  const rocksdb::Slice first(begin);
  const rocksdb::Slice last(end);
  std::atomic<bool> give_up = cancelled();
  rocksdb::CompactRangeOptions options;
  options.canceled = &give_up;
  rocksdb::Status status;
  {
    const PeriodicThread look(kCompactionLooks, [&] { give_up = cancelled(); });
    status = db_->CompactRange(options, Handle(family), &first, &last);
  }
  if (give_up && !status.ok()) {
    return MakeError(Reason::kCancelled, "The compaction of the history was cancelled.");
  }
  return NoteWrite(status, absl::StrCat("compact ", NameOf(family)));
}

rocksdb::Options HistoryDb::TableOptions(Family family) const {
  return {DatabaseOptions(env_), FamilyOptions(family, cache_)};
}

std::string HistoryDb::NewStagingFile(std::string_view label, std::string_view ending) {
  return absl::StrCat(Join(options_.path, kStagingFolder), "/", Absl(label), "-", ++staged_files_,
                      Absl(ending));
}

absl::Status HistoryDb::DeleteStagingFile(const std::string& file) const {
  return HistoryStatus(env_->DeleteFile(file), "remove a file from its staging folder");
}

absl::Status HistoryDb::ClearStaging() const {
  const std::string folder = Join(options_.path, kStagingFolder);
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListFolder(env_, folder));
  for (const std::string& name : names) {
    RETURN_IF_ERROR(DeleteStagingFile(Join(folder, name)));
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> HistoryDb::DiskBytes() const {
  int64_t bytes = 0;
  for (const char* name : {kDatabaseFolder, kStagingFolder}) {
    std::vector<rocksdb::Env::FileAttributes> files;
    RETURN_IF_ERROR(HistoryStatus(
        env_->GetChildrenFileAttributes(Join(options_.path, name), &files), "list its files"));
    for (const rocksdb::Env::FileAttributes& file : files) {
      bytes += static_cast<int64_t>(file.size_bytes);
    }
  }
  return bytes;
}

}  // namespace reinstate

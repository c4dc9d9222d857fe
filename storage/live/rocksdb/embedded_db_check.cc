// The part of EmbeddedDb that finds out, before anything is written, whether something was lost.

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/rocksdb/embedded_db.h"
#include "storage/rocks/folder_lock.h"
#include "storage/rocks/rocksdb_status.h"
#include "storage/rocks/slices.h"

namespace reinstate {

// A database that was opened to be looked at; closed whatever happens.
struct EmbeddedDb::OpenedReadOnly {
  OpenedReadOnly() = default;
  OpenedReadOnly(const OpenedReadOnly&) = delete;
  OpenedReadOnly& operator=(const OpenedReadOnly&) = delete;
  ~OpenedReadOnly() {
    for (rocksdb::ColumnFamilyHandle* family : families) {
      db->DestroyColumnFamilyHandle(family);
    }
    delete db;
  }

  // Null if it is not there.
  rocksdb::ColumnFamilyHandle* Find(std::string_view name) const {
    const auto found = std::find_if(
        families.begin(), families.end(),
        [&](rocksdb::ColumnFamilyHandle* family) { return family->GetName() == name; });
    return found == families.end() ? nullptr : *found;
  }

  rocksdb::DB* db = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> families;
};

// Opening for writing deletes files that the MANIFEST does not name, so what was lost must be found
// out before. The database's lock keeps others from changing it meanwhile.
absl::Status EmbeddedDb::CheckBeforeWriting(const rocksdb::Options& options) const {
  ASSIGN_OR_RETURN(const std::unique_ptr<FolderLock> lock,
                   FolderLock::Take(options.env, options_.path + "/LOCK",
                                    absl::StrCat("the store in ", options_.path)));
  return CheckReadOnly(options);
}

absl::Status EmbeddedDb::CheckReadOnly(const rocksdb::Options& options) const {
  const rocksdb::Status current = options.env->FileExists(options_.path + "/CURRENT");
  if (current.IsNotFound()) {
    return CheckCounts(OpenedReadOnly());
  }
  RETURN_IF_ERROR(FromRocksdb(current, "cannot look at the store"));
  std::vector<std::string> names;
  RETURN_IF_ERROR(FromRocksdb(rocksdb::DB::ListColumnFamilies(options, options_.path, &names),
                              absl::StrCat("cannot read the store in ", options_.path)));
  // Where the first start was interrupted, some families are not there yet.
  std::vector<rocksdb::ColumnFamilyDescriptor> families = Families();
  const size_t missing = std::erase_if(families, [&](const auto& family) {
    return std::find(names.begin(), names.end(), family.name) == names.end();
  });
  if (missing > 0 && acknowledged_->AnyAtOpen()) {
    return MakeError(Reason::kCorrupt,
                     absl::StrCat("the store in ", options_.path, " has lost ", missing,
                                  " of its families: its list of files is damaged. Nothing was "
                                  "changed. Bring the folder back from a backup"));
  }
  OpenedReadOnly opened;
  RETURN_IF_ERROR(FromRocksdb(
      rocksdb::DB::OpenForReadOnly(options, options_.path, families, &opened.families, &opened.db),
      absl::StrCat("cannot read the store in ", options_.path)));
  RETURN_IF_ERROR(CheckSequence(opened));
  RETURN_IF_ERROR(CheckCounts(opened));
  return CheckCornerstones(opened);
}

// A database into which nothing was ever written but by taking files over is at sequence number 0,
// where a compaction can drop keys that are in use (facebook/rocksdb#13155). The first start
// writes.
absl::Status EmbeddedDb::CheckSequence(const OpenedReadOnly& opened) const {
  if (opened.db->GetLatestSequenceNumber() > 0) {
    return absl::OkStatus();
  }
  std::string format;
  const rocksdb::Status status =
      opened.db->Get(rocksdb::ReadOptions(), ToSlice(EmbeddedKeyCodec::kFormatKey), &format);
  if (status.IsNotFound()) {
    return absl::OkStatus();  // the first start was interrupted
  }
  RETURN_IF_ERROR(FromRocksdb(status, "cannot look at the store"));
  return MakeError(Reason::kCorrupt,
                   absl::StrCat("the store in ", options_.path,
                                " has the sequence number 0, with which a compaction could lose "
                                "records. Nothing was changed. Bring the folder back from a "
                                "backup"));
}

absl::Status EmbeddedDb::CheckCounts(const OpenedReadOnly& opened) const {
  for (uint32_t shard = 0; shard < AcknowledgedCounts::kShards; ++shard) {
    uint64_t count = 0;
    std::string value;
    if (opened.db != nullptr) {
      const rocksdb::Status status =
          opened.db->Get(rocksdb::ReadOptions(), EmbeddedKeyCodec::CountKey(shard), &value);
      if (!status.IsNotFound()) {
        RETURN_IF_ERROR(FromRocksdb(status, "cannot read the store's counts"));
        EmbeddedKeyCodec::DecodeNumber(value, &count);
      }
    }
    if (count < acknowledged_->AtOpen(shard)) {
      return MakeError(
          Reason::kCorrupt,
          absl::StrCat("the store in ", options_.path,
                       " has lost writes that it had acknowledged (", count, " of ",
                       acknowledged_->AtOpen(shard), " in shard ", shard,
                       "): its log or its list of files is damaged. Nothing was changed. Bring the "
                       "folder back from a backup, or, to go on with what is left, remove ",
                       options_.path, "/ACKNOWLEDGED"));
    }
  }
  return absl::OkStatus();
}

absl::Status EmbeddedDb::CheckCornerstones(const OpenedReadOnly& opened) const {
  rocksdb::ColumnFamilyHandle* const heads = opened.Find("heads");
  rocksdb::ColumnFamilyHandle* const records = opened.Find("records");
  if (heads == nullptr || records == nullptr) {
    return absl::OkStatus();  // the first start was interrupted
  }
  const std::unique_ptr<rocksdb::Iterator> it(
      opened.db->NewIterator(rocksdb::ReadOptions(), heads));
  std::string value;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    TenantHead head;
    if (!EmbeddedKeyCodec::DecodeHead(ToView(it->value()), &head) || !head.has_cornerstone) {
      continue;  // a malformed one shows where it is used
    }
    const std::string key = EmbeddedKeyCodec::GenerationPrefix(
        TenantId::FromStored(it->key().ToString()), head.generation);
    const rocksdb::Status status = opened.db->Get(rocksdb::ReadOptions(), records, key, &value);
    if (status.IsNotFound()) {
      return MakeError(Reason::kCorrupt,
                       absl::StrCat("the store in ", options_.path, " has lost files of tenant \"",
                                    Printable(ToView(it->key())),
                                    "\": its list of files is damaged. Nothing was changed. Bring "
                                    "the folder back from a backup"));
    }
    RETURN_IF_ERROR(FromRocksdb(status, "cannot read the store's records"));
  }
  return FromRocksdb(it->status(), "cannot read the heads of the store's tenants");
}

}  // namespace reinstate

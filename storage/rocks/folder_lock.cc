#include "storage/rocks/folder_lock.h"

#include <rocksdb/env.h>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/rocks/rocksdb_status.h"

namespace reinstate {

absl::StatusOr<std::unique_ptr<FolderLock>> FolderLock::Take(rocksdb::Env* env,
                                                             const std::string& file,
                                                             std::string_view what) {
  rocksdb::FileLock* lock = nullptr;
  RETURN_IF_ERROR(
      FromRocksdb(env->LockFile(file, &lock), absl::StrCat("cannot lock ", Absl(what))));
  return absl::WrapUnique(new FolderLock(env, lock));
}

FolderLock::~FolderLock() { env_->UnlockFile(lock_).PermitUncheckedError(); }

}  // namespace reinstate

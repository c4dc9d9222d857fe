#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace rocksdb {
class Env;
class FileLock;
}  // namespace rocksdb

namespace reinstate {

// Keeps other processes, and other objects of this one, out of a folder as long as it lives; also
// where a database is not open, or is open for reading only, which RocksDB does not guard.
class FolderLock {
 public:
  // Locks `file`, which is made if it is not there. DATA_DIRECTORY_IN_USE, NO_SPACE, UNAVAILABLE;
  // `what` is named in their messages, e.g. "the history in /var/lib/…". Borrows `env`.
  static absl::StatusOr<std::unique_ptr<FolderLock>> Take(rocksdb::Env* env,
                                                          const std::string& file,
                                                          std::string_view what);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  FolderLock(rocksdb::Env* env, rocksdb::FileLock* lock) : env_(env), lock_(lock) {}

  rocksdb::Env* const env_;
  rocksdb::FileLock* const lock_;
};

}  // namespace reinstate

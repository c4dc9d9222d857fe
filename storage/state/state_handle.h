#pragma once

#include <google/protobuf/message_lite.h>
#include <rocksdb/db.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/state/state_keys.h"

namespace reinstate {

// The state's RocksDB database while it is open, with its families and the settings that it needs.
// What it can do at once from several threads is RocksDB's.
class StateHandle {
 public:
  enum class Access { kReadOnly, kReadWrite, kCreate };

  // Opens the database in the folder `path`. CORRUPT, NO_SPACE, UNAVAILABLE. Borrows `env`.
  static absl::StatusOr<StateHandle> Open(rocksdb::Env* env, const std::string& path,
                                          Access access);

  StateHandle(StateHandle&& other) noexcept;
  StateHandle& operator=(StateHandle&&) = delete;
  StateHandle(const StateHandle&) = delete;
  StateHandle& operator=(const StateHandle&) = delete;
  ~StateHandle();

  rocksdb::DB* db() const { return db_.get(); }
  rocksdb::ColumnFamilyHandle* of(StateFamily family) const {
    return families_[static_cast<size_t>(family)];
  }

  // Reads a record into `value`. False, and nothing is read, if it is not there. CORRUPT.
  absl::StatusOr<bool> Get(StateFamily family, const std::string& key,
                           google::protobuf::MessageLite* value) const;

 private:
  StateHandle() = default;

  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
};

}  // namespace reinstate

#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace rocksdb {
class Env;
class RandomRWFile;
}  // namespace rocksdb

namespace reinstate {

// Keeps the number of the last change that was acknowledged, outside of the database.
//
// A database whose log was damaged in the middle opens as it was before the damage, counters
// included: it cannot know by itself that it is short. This file can. It has two slots of 24 bytes,
// written in turn (magic, number, checksum), so that a torn write leaves the number before.
//
// Not thread-safe.
class AcknowledgedFile {
 public:
  // Makes the file at `path`, synced, with number 0.
  static absl::Status Create(rocksdb::Env* env, const std::string& path);

  // CORRUPT if the file is missing or neither slot is whole.
  static absl::StatusOr<std::unique_ptr<AcknowledgedFile>> Open(rocksdb::Env* env,
                                                                const std::string& path);
  ~AcknowledgedFile();
  AcknowledgedFile(const AcknowledgedFile&) = delete;
  AcknowledgedFile& operator=(const AcknowledgedFile&) = delete;

  uint64_t number() const { return number_; }

  // Notes `number`, which was synced before. Not synced itself, which would double the time of each
  // change: it outlives the process, and after a crash of the machine it may be a little behind,
  // which makes the check weaker but never wrong. May be repeated after an error.
  absl::Status Record(uint64_t number);

 private:
  AcknowledgedFile(std::unique_ptr<rocksdb::RandomRWFile> file, uint64_t number);

  const std::unique_ptr<rocksdb::RandomRWFile> file_;
  uint64_t number_;
};

}  // namespace reinstate

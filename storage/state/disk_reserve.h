#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace reinstate {

// A file of zeros that keeps disk space back, to be given up when a write that must not fail finds
// the disk full. Not thread-safe.
class DiskReserve {
 public:
  DiskReserve(rocksdb::Env* env, std::string path, int64_t bytes);

  // Sets the space aside, if it is not. NO_SPACE: what was written is removed again.
  absl::Status Fill();

  // Gives the space up. False if there was none.
  bool Release();

 private:
  bool IsFull() const;
  absl::Status Write();

  rocksdb::Env* const env_;
  const std::string path_;
  const int64_t bytes_;
};

}  // namespace reinstate

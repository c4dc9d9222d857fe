#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace rocksdb {
class Env;
}

namespace reinstate {

class FaultyFiles;

// An environment for RocksDB whose disk can be made full, and whose machine can be made to crash:
// from then on nothing reaches the disk, and LoseUnsynced takes away what no sync had reached.
// Thread-safe.
class FaultyFileSystem {
 public:
  FaultyFileSystem();
  ~FaultyFileSystem();
  FaultyFileSystem(const FaultyFileSystem&) = delete;
  FaultyFileSystem& operator=(const FaultyFileSystem&) = delete;

  // To be given to RocksDB; lives as long as this.
  rocksdb::Env* env() const { return env_.get(); }

  // Whether writes to files fail for want of space.
  void SetFull(bool full);

  // The machine crashes at the `n`-th sync from now, from 1, before that sync takes effect.
  void CrashAtSync(int64_t n);

  // The machine crashes now.
  void Crash();
  bool has_crashed() const;

  // Once RocksDB has closed its files: cuts each off at its last sync, as a crash may, and lets the
  // machine run again.
  void LoseUnsynced();

 private:
  const std::shared_ptr<FaultyFiles> files_;
  const std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace reinstate

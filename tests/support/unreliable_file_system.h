#pragma once

#include <rocksdb/env.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace reinstate {

// What a test can make go wrong below RocksDB, and see there. Thread-safe.
struct FileSystemFaults {
  // Appending to files fails for lack of space, until a file whose name ends with
  // `frees_space` is deleted (if set).
  std::atomic<bool> full = false;
  std::string frees_space;
  // The disk becomes full with the append after this many; never if negative.
  std::atomic<int64_t> appends_until_full = -1;
  // What was not synced stays in memory: a copy of the folder is then what a crash of the machine
  // leaves behind.
  std::atomic<bool> hold_unsynced = false;
  // Called before each sync of a file or folder, if set; not to be changed while files are open.
  std::function<void()> before_sync;
  // Syncs nothing, which is much faster: for tests that crash nothing.
  std::atomic<bool> skip_syncs = false;
  // What was read of the files that are not read from front to back: the tables.
  std::atomic<int64_t> bytes_read = 0;
};

// The default environment with `faults`, which outlives it.
std::unique_ptr<rocksdb::Env> MakeUnreliableEnv(FileSystemFaults* faults);

}  // namespace reinstate

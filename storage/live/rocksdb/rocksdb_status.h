#pragma once

#include <rocksdb/slice.h>
#include <rocksdb/status.h>

#include <string_view>

#include "absl/status/status.h"

namespace reinstate {

// Turns RocksDB's errors into ours: CORRUPT, NO_SPACE, DATA_DIRECTORY_IN_USE (another process has
// the lock), UNAVAILABLE (input and output), else INTERNAL. `context` says what was being done.
absl::Status EmbeddedStatus(const rocksdb::Status& status, std::string_view context);

inline rocksdb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

inline std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

}  // namespace reinstate

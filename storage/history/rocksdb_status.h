#pragma once

#include <rocksdb/status.h>

#include <string_view>

#include "absl/status/status.h"

namespace reinstate {

// The one place where RocksDB's errors become ours. `what` says what was being done.
absl::Status FromRocksdb(const rocksdb::Status& status, std::string_view what);

}  // namespace reinstate

#pragma once

#include <rocksdb/status.h>

#include <string_view>

#include "absl/status/status.h"

namespace reinstate {

// Turns RocksDB's errors into ours; the one place that does. OK stays OK.
//
// CORRUPT: files are damaged, or something that must be there is not. NO_SPACE.
// DATA_DIRECTORY_IN_USE: another process, or another object of this one, has the database.
// SHUTTING_DOWN: it is being closed. UNAVAILABLE: input and output, and what may pass. Else
// INTERNAL. `context` begins the message: what was being done to which database.
absl::Status FromRocksdb(const rocksdb::Status& status, std::string_view context);

}  // namespace reinstate

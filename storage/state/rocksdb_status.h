#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace rocksdb {
class Status;
}  // namespace rocksdb

namespace reinstate {

// Turns what RocksDB says about the state's database into ours: NO_SPACE, CORRUPT or UNAVAILABLE,
// with `doing` (e.g. "writing restore rst-…") in front. OK stays OK.
absl::Status StateStatus(const rocksdb::Status& status, std::string_view doing);

}  // namespace reinstate

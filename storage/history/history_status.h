#pragma once

#include <rocksdb/status.h>

#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "storage/base/strings.h"
#include "storage/rocks/rocksdb_status.h"

namespace reinstate {

// As FromRocksdb, of an error of the history's database. `what` says what was being done, e.g.
// "read records".
inline absl::Status HistoryStatus(const rocksdb::Status& status, std::string_view what) {
  return status.ok() ? absl::OkStatus()
                     : FromRocksdb(status, absl::StrCat("The history could not ", Absl(what)));
}

}  // namespace reinstate

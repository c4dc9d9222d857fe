#include "storage/state/rocksdb_status.h"

#include <rocksdb/status.h>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/strings.h"

namespace reinstate {

absl::Status StateStatus(const rocksdb::Status& status, std::string_view doing) {
  if (status.ok()) {
    return absl::OkStatus();
  }
  if (status.IsNoSpace()) {
    return MakeError(Reason::kNoSpace,
                     absl::StrCat(Absl(doing),
                                  ": the disk that holds the state is full; free some "
                                  "space there and try again"));
  }
  if (status.IsCorruption() || status.IsNotFound()) {
    return MakeError(Reason::kCorrupt,
                     absl::StrCat(Absl(doing), ": the state's files are damaged (",
                                  status.ToString(), "); bring them back from a copy"));
  }
  return MakeError(
      Reason::kUnavailable,
      absl::StrCat(Absl(doing), ": ", status.ToString(),
                   "; look at the disk that holds the state, then restart the daemon"));
}

}  // namespace reinstate

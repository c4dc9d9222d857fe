#include "storage/live/rocksdb/rocksdb_status.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/strings.h"

namespace reinstate {

absl::Status EmbeddedStatus(const rocksdb::Status& status, std::string_view context) {
  if (status.ok()) {
    return absl::OkStatus();
  }
  const std::string text = status.ToString();
  const std::string message = absl::StrCat(Absl(context), ": ", text);
  if (status.IsCorruption()) {
    return MakeError(Reason::kCorrupt, message);
  }
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kSpaceLimit) {
    return MakeError(Reason::kNoSpace, absl::StrCat(message, "; free disk space and try again"));
  }
  // RocksDB has no code of its own for it.
  if (status.IsIOError() && text.find("lock ") != std::string::npos) {
    return MakeError(Reason::kDataDirectoryInUse,
                     absl::StrCat(message, "; another process has this store open"));
  }
  if (status.IsIOError() || status.IsTryAgain() || status.IsBusy() || status.IsTimedOut() ||
      status.IsIncomplete()) {
    return MakeError(Reason::kUnavailable, message);
  }
  if (status.IsShutdownInProgress()) {
    return MakeError(Reason::kShuttingDown, message);
  }
  return MakeError(Reason::kInternal, message);
}

}  // namespace reinstate

#include "storage/history/rocksdb_status.h"

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

Reason ReasonFor(const rocksdb::Status& status) {
  if (status.IsNoSpace()) {
    return Reason::kNoSpace;
  }
  // A file that the database knows of and that is not there is a loss as well.
  if (status.IsCorruption() || status.IsPathNotFound()) {
    return Reason::kCorrupt;
  }
  if (status.IsIOError() || status.IsBusy() || status.IsTimedOut() || status.IsTryAgain() ||
      status.IsShutdownInProgress() || status.IsAborted() || status.IsIncomplete()) {
    return Reason::kUnavailable;
  }
  return Reason::kInternal;
}

}  // namespace

absl::Status FromRocksdb(const rocksdb::Status& status, std::string_view what) {
  if (status.ok()) {
    return absl::OkStatus();
  }
  return MakeError(ReasonFor(status),
                   absl::StrCat("The history could not ", Absl(what), ": ", status.ToString()));
}

}  // namespace reinstate

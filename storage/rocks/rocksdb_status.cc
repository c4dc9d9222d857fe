#include "storage/rocks/rocksdb_status.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

// RocksDB gives it no code of its own; the first is of another process, the second of this one.
bool IsLocked(const rocksdb::Status& status, const std::string& text) {
  return status.IsIOError() && (absl::StartsWith(text, "IO error: While lock file") ||
                                absl::StartsWith(text, "IO error: lock hold by current process"));
}

struct Meaning {
  Reason reason = Reason::kInternal;
  const char* advice = "";
};

Meaning MeaningOf(const rocksdb::Status& status, const std::string& text) {
  if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kSpaceLimit) {
    return {Reason::kNoSpace, "; its disk is full: free some space there and try again"};
  }
  // Where nothing is an answer, callers have asked for it before.
  if (status.IsCorruption() || status.IsNotFound() || status.IsPathNotFound()) {
    return {Reason::kCorrupt, "; files are damaged or missing: bring them back from a copy"};
  }
  if (IsLocked(status, text)) {
    return {Reason::kDataDirectoryInUse,
            "; it is in use: stop the other daemon, or choose another data directory"};
  }
  if (status.IsShutdownInProgress()) {
    return {Reason::kShuttingDown, ""};
  }
  if (status.IsIOError() || status.IsBusy() || status.IsTimedOut() || status.IsTryAgain() ||
      status.IsAborted() || status.IsIncomplete()) {
    return {Reason::kUnavailable, "; look at its disk, and try again"};
  }
  return {Reason::kInternal, ""};
}

}  // namespace

absl::Status FromRocksdb(const rocksdb::Status& status, std::string_view context) {
  if (status.ok()) {
    return absl::OkStatus();
  }
  const std::string text = status.ToString();
  const Meaning meaning = MeaningOf(status, text);
  return MakeError(meaning.reason, absl::StrCat(Absl(context), ": ", text, meaning.advice));
}

}  // namespace reinstate

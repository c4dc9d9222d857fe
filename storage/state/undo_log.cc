#include "storage/state/undo_log.h"

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/state/undo_digest.h"

namespace reinstate {
namespace {

absl::Status Short(const std::string& restore, std::string_view what) {
  return MakeError(Reason::kShortfall,
                   absl::StrCat("the undo of restore ", restore, " is not whole: ", Absl(what)));
}

}  // namespace

absl::Status UndoLog::Append(const std::string& restore, int64_t chunk, std::string_view rows) {
  int64_t next = 0;
  if (chunk != 0) {
    MutexLock lock(&mu_);
    const auto found = appended_.find(restore);
    next = found == appended_.end() ? 0 : found->second;
  }
  if (chunk != next) {
    return MakeError(Reason::kInternal,
                     absl::StrCat("chunk ", chunk, " of the undo of restore ", restore,
                                  " came when chunk ", next, " was next"));
  }
  RETURN_IF_ERROR(database_->AppendUnsynced(
      StateFamily::kUndo, StateKeys::ForUndo(restore, static_cast<uint64_t>(chunk)), rows));
  MutexLock lock(&mu_);
  appended_[restore] = chunk + 1;
  return absl::OkStatus();
}

absl::Status UndoLog::Check(const std::string& restore, const state::Intent& intent) const {
  MutexLock lock(&mu_);
  const auto found = appended_.find(restore);
  const int64_t appended = found == appended_.end() ? 0 : found->second;
  if (intent.undo_chunks() != appended) {
    return MakeError(Reason::kInternal,
                     absl::StrCat("restore ", restore, " says that its undo has ",
                                  intent.undo_chunks(), " chunks, but appended ", appended));
  }
  return absl::OkStatus();
}

void UndoLog::Forget(const std::string& restore) {
  MutexLock lock(&mu_);
  appended_.erase(restore);
}

absl::StatusOr<bool> UndoLog::HasChunks(const std::string& restore) const {
  const std::string prefix = StateKeys::UndoPrefix(restore);
  bool has = false;
  RETURN_IF_ERROR(
      database_->Scan(StateFamily::kUndo, StateDatabase::Order::kAscending, prefix,
                      [&](std::string_view key, std::string_view) -> absl::StatusOr<bool> {
                        has = key.starts_with(prefix);
                        return false;
                      }));
  return has;
}

absl::Status UndoLog::DeleteAll(const std::string& restore, ChangeSet* change) const {
  const std::string prefix = StateKeys::UndoPrefix(restore);
  return database_->Scan(StateFamily::kUndo, StateDatabase::Order::kAscending, prefix,
                         [&](std::string_view key, std::string_view) -> absl::StatusOr<bool> {
                           if (!key.starts_with(prefix)) {
                             return false;
                           }
                           change->Delete(StateFamily::kUndo, std::string(key));
                           return true;
                         });
}

absl::Status UndoLog::Read(const std::string& restore, const state::Intent& intent,
                           const Visitor& visit) const {
  UndoDigest digest;
  for (int64_t chunk = 0; chunk < intent.undo_chunks(); ++chunk) {
    state::UndoChunk rows;
    ASSIGN_OR_RETURN(
        const bool found,
        database_->Get(StateFamily::kUndo,
                       StateKeys::ForUndo(restore, static_cast<uint64_t>(chunk)), &rows));
    if (!found) {
      return Short(restore,
                   absl::StrCat("chunk ", chunk, " of ", intent.undo_chunks(), " is missing"));
    }
    digest.Add(rows);
    RETURN_IF_ERROR(visit(rows));
  }
  if (intent.undo_chunks() > 0 && digest.Finish() != intent.undo_digest()) {
    return Short(restore, "its digest is not the recorded one");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> UndoLog::NextRestore(const std::string& restore) const {
  // After all chunks of `restore`, whose numbers end before the largest one.
  const std::string from =
      restore.empty() ? std::string() : StateKeys::ForUndo(restore, ~uint64_t{0});
  std::string next;
  RETURN_IF_ERROR(
      database_->Scan(StateFamily::kUndo, StateDatabase::Order::kAscending, from,
                      [&](std::string_view key, std::string_view) -> absl::StatusOr<bool> {
                        uint64_t chunk = 0;
                        if (!StateKeys::ParseUndo(key, &next, &chunk)) {
                          return MakeError(Reason::kCorrupt, "a key of the undo cannot be read");
                        }
                        return false;
                      }));
  return next;
}

}  // namespace reinstate

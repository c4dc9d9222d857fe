#include "storage/history/history_format.h"

#include <optional>
#include <random>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/history/key_codec.h"
#include "storage/history/root_codec.h"

namespace reinstate {
namespace {

constexpr char kMagic[] = "reinstate.history";
constexpr uint32_t kVersion = 1;

absl::StatusOr<std::optional<history::Format>> ReadFormat(const HistoryDb& db) {
  ASSIGN_OR_RETURN(const std::optional<std::string> body,
                   db.Get(Family::kCatalog, KeyCodec::FormatKey()));
  if (!body.has_value()) {
    return std::nullopt;
  }
  history::Format format;
  if (!format.ParseFromString(*body)) {
    return MakeError(Reason::kCorrupt, "The format mark of the history is malformed.");
  }
  return format;
}

absl::Status CheckMark(const history::Format& format, const FormatExpectations& expectations) {
  if (format.magic() != kMagic || format.version() != kVersion) {
    return MakeError(
        Reason::kHistoryWrongFormat,
        absl::StrCat("The history has format ", format.version(), " and this program reads format ",
                     kVersion, ". Use the program that wrote it."));
  }
  if (!format.state_id().empty() && !expectations.state_id.empty() &&
      format.state_id() != expectations.state_id && !expectations.accept_other_state) {
    return MakeError(Reason::kStateLost,
                     "The history belongs to another state database than the one that was opened: "
                     "that one was lost, or is an older copy. Put the right one back, or accept "
                     "the history as it is with --accept-history.");
  }
  return absl::OkStatus();
}

// Whether the catalog says that the witnessed snapshot has expired.
absl::StatusOr<bool> HasExpired(const HistoryDb& db, const Witness& witness) {
  ASSIGN_OR_RETURN(const std::optional<std::string> body,
                   db.Get(Family::kCatalog, KeyCodec::SnapshotKey(witness.snapshot)));
  history::SnapshotState state;
  return body.has_value() && state.ParseFromString(*body) && state.expired() &&
         state.root_digest() == witness.root_digest;
}

absl::Status TellMissing(const Witness& witness) {
  return MakeError(
      Reason::kHistoryIncomplete,
      absl::StrCat(
          "The snapshot ", witness.snapshot.ToString(),
          " was taken, and the history does not have it, or has another one in its place. ",
          "Nothing was written. Restore the history's folder from a copy."));
}

absl::Status CheckWitness(const HistoryDb& db, const Witness& witness) {
  ASSIGN_OR_RETURN(const std::optional<StoredRoot> root, ReadRoot(db, witness.snapshot));
  if (root.has_value() && root->digest == witness.root_digest) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const bool expired, HasExpired(db, witness));
  return expired ? absl::OkStatus() : TellMissing(witness);
}

}  // namespace

absl::Status CheckFormat(const HistoryDb* existing, const FormatExpectations& expectations) {
  std::optional<history::Format> format;
  if (existing != nullptr) {
    ASSIGN_OR_RETURN(format, ReadFormat(*existing));
  }
  if (!format.has_value()) {
    // Nothing yet, or a creation that was interrupted before its mark.
    if (existing != nullptr && existing->LatestSequenceNumber() > 0) {
      return MakeError(Reason::kHistoryWrongFormat, "The database holds data and is no history.");
    }
    return expectations.witnesses.empty() ? absl::OkStatus()
                                          : TellMissing(expectations.witnesses.front());
  }
  RETURN_IF_ERROR(CheckMark(*format, expectations));
  if (existing->LatestSequenceNumber() == 0) {
    return MakeError(Reason::kHistoryIncomplete,
                     "The history's sequence number is 0, with which a compaction could lose "
                     "records. Nothing was written. Restore the history's folder from a copy.");
  }
  for (const Witness& witness : expectations.witnesses) {
    RETURN_IF_ERROR(CheckWitness(*existing, witness));
  }
  return absl::OkStatus();
}

absl::StatusOr<history::Format> LoadFormat(const HistoryDb& db) {
  ASSIGN_OR_RETURN(const std::optional<history::Format> format, ReadFormat(db));
  if (!format.has_value()) {
    return MakeError(Reason::kHistoryWrongFormat, "The database is no history.");
  }
  RETURN_IF_ERROR(CheckMark(*format, FormatExpectations()));
  return *format;
}

absl::StatusOr<history::Format> EnsureFormat(HistoryDb* db, const std::string& state_id) {
  ASSIGN_OR_RETURN(const std::optional<history::Format> found, ReadFormat(*db));
  history::Format format = found.value_or(history::Format());
  if (!found.has_value()) {
    std::random_device random;
    format.set_magic(kMagic);
    format.set_version(kVersion);
    format.set_seed((static_cast<uint64_t>(random()) << 32) | random());
  }
  if (!state_id.empty()) {
    format.set_state_id(state_id);
  }
  if (!found.has_value() || found->state_id() != format.state_id()) {
    RETURN_IF_ERROR(db->PutCatalog(KeyCodec::FormatKey(), format.SerializeAsString(),
                                   HistoryDb::Durability::kFlushed));
  }
  if (db->LatestSequenceNumber() == 0) {
    return MakeError(Reason::kInternal, "The history's sequence number is 0 after a write.");
  }
  return format;
}

}  // namespace reinstate

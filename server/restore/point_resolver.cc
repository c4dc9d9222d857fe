#include "server/restore/point_resolver.h"

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/snapshot/store_lineages.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/model/snapshot_id.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

constexpr absl::Duration kLongestAgo = absl::Hours(24 * 366 * 100);
constexpr size_t kMostDigits = 9;

std::string Format(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E*SZ", time, absl::UTCTimeZone());
}

absl::Status Malformed(std::string_view text) {
  return MakeError(Reason::kPointInvalid,
                   absl::StrCat("\"", Printable(text),
                                "\" is not a point in time. Say `latest`, a snapshot (snap-1-12), "
                                "a time with its zone (2026-04-05T07:38:00Z), or how long ago "
                                "(90m, 2h30m, 3d); of imported dumps with their lineage "
                                "(nightly/latest)."));
}

std::optional<absl::Duration> UnitOf(char c) {
  switch (c) {
    case 'w':
      return absl::Hours(24 * 7);
    case 'd':
      return absl::Hours(24);
    case 'h':
      return absl::Hours(1);
    case 'm':
      return absl::Minutes(1);
    case 's':
      return absl::Seconds(1);
    default:
      return std::nullopt;
  }
}

// Takes a number and its unit from the front of `text`.
std::optional<absl::Duration> ConsumeAmount(absl::string_view* text, absl::Duration* unit) {
  size_t digits = 0;
  while (digits < text->size() && absl::ascii_isdigit((*text)[digits])) {
    ++digits;
  }
  int64_t number = 0;
  if (digits == 0 || digits > kMostDigits || digits == text->size() ||
      !absl::SimpleAtoi(text->substr(0, digits), &number)) {
    return std::nullopt;
  }
  const std::optional<absl::Duration> found = UnitOf((*text)[digits]);
  if (!found.has_value()) {
    return std::nullopt;
  }
  text->remove_prefix(digits + 1);
  *unit = *found;
  return number * *found;
}

// "90m", "-2h30m", "3d ago": larger units first, each at most once.
std::optional<absl::Duration> ParseAgo(absl::string_view text) {
  if (!absl::ConsumePrefix(&text, "-") && absl::ConsumeSuffix(&text, "ago")) {
    text = absl::StripTrailingAsciiWhitespace(text);
  }
  absl::Duration total;
  absl::Duration last_unit = absl::InfiniteDuration();
  do {
    absl::Duration unit;
    const std::optional<absl::Duration> amount = ConsumeAmount(&text, &unit);
    if (!amount.has_value() || unit >= last_unit) {
      return std::nullopt;
    }
    total += *amount;
    last_unit = unit;
  } while (!text.empty());
  if (total > kLongestAgo) {
    return std::nullopt;
  }
  return total;
}

// RFC 3339; unlike absl::ParseTime alone it takes no names for infinity and no years of more or
// fewer than four digits.
std::optional<absl::Time> ParseInstant(absl::string_view text) {
  constexpr size_t kYearDigits = 4;
  if (text.find('-') != kYearDigits || !absl::ascii_isdigit(text[0])) {
    return std::nullopt;
  }
  absl::Time time;
  std::string error;
  for (const char* format : {"%Y-%m-%d%ET%H:%M:%E*S%Ez", "%Y-%m-%d%ET%H:%M%Ez"}) {
    if (absl::ParseTime(format, text, &time, &error)) {
      return time;
    }
  }
  return std::nullopt;
}

state::Point MakePoint(std::string_view requested, const SnapshotInfo& snapshot) {
  state::Point point;
  point.set_requested(std::string(requested));
  point.set_snapshot(snapshot.id.ToString());
  point.set_instant_us(absl::ToUnixMicros(snapshot.instant));
  return point;
}

absl::StatusOr<SnapshotInfo> Newest(const History& history, uint32_t lineage) {
  ASSIGN_OR_RETURN(const std::vector<SnapshotInfo> snapshots, history.ListSnapshots(lineage));
  for (auto snapshot = snapshots.rbegin(); snapshot != snapshots.rend(); ++snapshot) {
    if (snapshot->visible()) {
      return *snapshot;
    }
  }
  return MakeError(Reason::kPointBeforeFirstSnapshot,
                   "There is no snapshot to restore from yet: `latest` names none. Take one with "
                   "`reinstate snapshot take`.");
}

absl::StatusOr<SnapshotInfo> Named(const History& history, uint32_t lineage,
                                   std::string_view text) {
  ASSIGN_OR_RETURN(const SnapshotId id, SnapshotId::Parse(text));
  const std::optional<LineageOwner> owner = OwnerOf(history, lineage);
  const std::optional<LineageOwner> owner_of_id = OwnerOf(history, id.lineage);
  if (id.lineage != lineage &&
      (!owner.has_value() || !owner_of_id.has_value() || owner->store != owner_of_id->store)) {
    return MakeError(Reason::kSnapshotNotFound,
                     absl::StrCat("Snapshot ", id.ToString(),
                                  " is not of this store; `reinstate snapshot list` shows those "
                                  "that are."));
  }
  ASSIGN_OR_RETURN(SnapshotInfo snapshot, history.GetSnapshot(id));
  if (!snapshot.visible()) {
    return MakeError(
        Reason::kSnapshotHidden,
        absl::StrCat("Snapshot ", id.ToString(), " was deleted on ", Format(*snapshot.hidden_since),
                     "; bring it back with `reinstate snapshot undelete ", id.ToString(),
                     "` while its grace period lasts."));
  }
  return snapshot;
}

// The lineage `name` of imported dumps of the store that has `lineage`.
absl::StatusOr<uint32_t> Imported(const History& history, uint32_t lineage, std::string_view name) {
  if (const std::optional<LineageOwner> owner = OwnerOf(history, lineage)) {
    for (const StoreLineage& other : LineagesOf(history, owner->store)) {
      if (!other.name.empty() && other.name == name) {
        return other.number;
      }
    }
  }
  return MakeError(Reason::kSnapshotNotFound,
                   absl::StrCat("Nothing was imported into a lineage \"", Printable(name),
                                "\" of this store; `reinstate snapshot list` shows what was."));
}

}  // namespace

absl::StatusOr<absl::Time> ParsePointTime(std::string_view text, absl::Time now) {
  const absl::string_view trimmed = absl::StripAsciiWhitespace(Absl(text));
  if (const std::optional<absl::Duration> ago = ParseAgo(trimmed)) {
    return now - *ago;
  }
  if (const std::optional<absl::Time> time = ParseInstant(trimmed)) {
    return *time;
  }
  return Malformed(text);
}

absl::StatusOr<state::Point> ResolvePoint(const History& history, uint32_t lineage,
                                          std::string_view text, absl::Time now) {
  const std::string_view trimmed = Std(absl::StripAsciiWhitespace(Absl(text)));
  if (trimmed == "latest") {
    ASSIGN_OR_RETURN(const SnapshotInfo snapshot, Newest(history, lineage));
    return MakePoint(text, snapshot);
  }
  if (absl::StartsWith(Absl(trimmed), "snap-")) {
    ASSIGN_OR_RETURN(const SnapshotInfo snapshot, Named(history, lineage, trimmed));
    return MakePoint(text, snapshot);
  }
  if (const size_t slash = trimmed.find('/');
      slash != std::string_view::npos && CheckLineageName(trimmed.substr(0, slash)).ok()) {
    const std::string_view within = trimmed.substr(slash + 1);
    if (absl::StrContains(Absl(within), '/') || absl::StartsWith(Absl(within), "snap-")) {
      return Malformed(text);
    }
    ASSIGN_OR_RETURN(const uint32_t imported, Imported(history, lineage, trimmed.substr(0, slash)));
    ASSIGN_OR_RETURN(state::Point point, ResolvePoint(history, imported, within, now));
    point.set_requested(std::string(text));
    return point;
  }
  ASSIGN_OR_RETURN(const absl::Time time, ParsePointTime(text, now));
  if (time > now) {
    return MakeError(Reason::kPointInFuture,
                     absl::StrCat(Format(time), " is in the future; it is ", Format(now),
                                  " for the daemon. Give an earlier time, or `latest`."));
  }
  ASSIGN_OR_RETURN(const SnapshotInfo snapshot, history.SnapshotAt(lineage, time));
  state::Point point = MakePoint(text, snapshot);
  point.set_requested_us(absl::ToUnixMicros(time));
  return point;
}

}  // namespace reinstate

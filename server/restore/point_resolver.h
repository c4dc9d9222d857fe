#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/history/history.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// Turns what a person types for --at into a snapshot of `lineage`, once: the result is what is
// stored.
//
// `text`: `latest`; a snapshot id (snap-1-12); an RFC 3339 time (2026-04-05T07:38:00Z, seconds
// optional, zone required); or a time ago (90m, -2h30m, "3d ago"). Times mean the newest visible
// snapshot at or before them. If `lineage` is a store's own, its imported dumps can be named too:
// by their id, or by their lineage before one of the others ("nightly/latest"). Nothing else ever
// resolves to an imported dump.
//
// POINT_INVALID if the text is none of these, with examples; POINT_IN_FUTURE;
// POINT_BEFORE_FIRST_SNAPSHOT; SNAPSHOT_NOT_FOUND (also for another store's, or a lineage that
// there is not); SNAPSHOT_HIDDEN.
absl::StatusOr<state::Point> ResolvePoint(const History& history, uint32_t lineage,
                                          std::string_view text, absl::Time now);

// The time that `text` means, without looking at snapshots: for filters such as --since.
// POINT_INVALID.
absl::StatusOr<absl::Time> ParsePointTime(std::string_view text, absl::Time now);

}  // namespace reinstate

#pragma once

#include <array>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/state/state.pb.h"
#include "storage/state/state_handle.h"
#include "storage/state/state_keys.h"

namespace reinstate {

// The record by which the state's database describes itself: its format, its id, the number of its
// last change, and how many records each family has. With it a database that has lost records is
// told from one that never had them.

// Records of each family; zero for those that are not counted.
using StateCounts = std::array<int64_t, kStateFamilies>;

StateCounts CountsOf(const state::Meta& meta);
void SetCounts(const StateCounts& counts, state::Meta* meta);

// Of a new, empty database, with a random id.
state::Meta NewMeta();

// CORRUPT if it is lost, or of a format that this program does not read.
absl::StatusOr<state::Meta> ReadMeta(const StateHandle& handle);

// CORRUPT unless all changes up to the number `acknowledged`, and all records that there must be,
// are there. Reads everything.
absl::Status CheckWhole(const StateHandle& handle, uint64_t acknowledged);

}  // namespace reinstate

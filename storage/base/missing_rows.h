#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace reinstate {

// That rows of table `child` refer to `parents` rows of table `parent` which are not there, as a
// clause: "rows of table links refer to 10 rows of table issues that are not there".
std::string MissingRowsText(std::string_view child, int64_t parents, std::string_view parent);

// Behind it: that nobody's restore brings these back, since no tenant owns table `parent`.
inline constexpr std::string_view kRowsOfNobody =
    ", and no snapshot has those, since no tenant owns that table; put them back by other means";

// In the message of each of several tenants that lack rows at once: what to do if these are rows of
// each other.
inline constexpr std::string_view kIfOfEachOther =
    "if they need rows of each other, none can come first: restore one of them without the table "
    "whose rows refer to the others' (--without-table), then retry the batch";

// The table whose rows refer to missing ones, of a message that has a MissingRowsText in it; empty
// if it has none.
std::string ReferringTable(std::string_view message);

}  // namespace reinstate

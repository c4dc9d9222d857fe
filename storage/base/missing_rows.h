#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace reinstate {

// That rows of table `child` refer to `parents` rows of table `parent` which are not there, as a
// clause: "rows of table links refer to 10 rows of table issues that are not there".
std::string MissingRowsText(std::string_view child, int64_t parents, std::string_view parent);

// The table whose rows refer to missing ones, of a message that has a MissingRowsText in it; empty
// if it has none.
std::string ReferringTable(std::string_view message);

}  // namespace reinstate

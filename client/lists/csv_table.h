#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/lists/list_table.h"
#include "client/lists/text_lines.h"

namespace reinstate {

// The rows of `lines`, without those that are skipped, separated as `separator` says: "comma",
// "semicolon", "tab", "none" (a line is one field, without quotes around the whole of it), or
// empty: as the first line says ("sep=;"), else by what gives the same number of columns in nearly
// all of the first rows, else none. INVALID_ARGUMENT for another separator, and as CsvSplitter.
absl::StatusOr<ListTable> ReadCsvTable(const std::vector<TextLine>& lines,
                                       const std::string& separator, const ListLimits& limits);

}  // namespace reinstate

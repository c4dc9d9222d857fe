#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "client/lists/list_table.h"
#include "client/lists/text_lines.h"

namespace reinstate {

// Whether the first line that is not skipped says that this is JSON: it is an object, an array, or
// a string with escapes that CSV does not have.
bool LooksLikeJson(const std::vector<TextLine>& lines);

// The rows of JSON lines: of objects, whose members are the columns in the order in which they
// first appear, or of strings, which are one column without a title. Numbers and other values are
// taken as they are written. A line that is neither, or not what the first one was, is a fault.
// INVALID_ARGUMENT if the whole is one array.
absl::StatusOr<ListTable> ReadJsonTable(const std::vector<TextLine>& lines);

}  // namespace reinstate

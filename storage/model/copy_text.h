#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace reinstate {

// PostgreSQL's COPY text format ("File Formats" of COPY in its manual): a line a row, fields parted
// by tabs, \N for NULL, and the backslash escapes \b \f \n \r \t \v and \\. The server writes no
// other escape; lines that hold one are malformed here.

inline constexpr std::string_view kCopyNull = "\\N";

// Splits a line (without its newline) into its fields, still escaped, which borrow it. A line has
// at least one field, which may be empty.
void SplitCopyLine(std::string_view line, std::vector<std::string_view>* fields);

// Appends the value of an escaped field that is not NULL. False if it has an escape that the server
// does not write; `*value` is then unspecified.
bool AppendCopyValue(std::string_view field, std::string* value);

// Appends `value` as a field, as the server would write it. The value has no NUL.
void AppendCopyField(std::string_view value, std::string* line);

}  // namespace reinstate

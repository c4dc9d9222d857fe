#pragma once

#include <string>
#include <vector>

namespace reinstate {

// One line of CSV after RFC 4180, with its line end (CRLF): fields with commas, quotes or line
// breaks are quoted, quotes doubled. Fields are written byte by byte.
std::string CsvLine(const std::vector<std::string>& fields);

}  // namespace reinstate

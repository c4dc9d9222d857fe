#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/lists/tenant_list.h"

namespace reinstate {

// A line of a list in its columns.
struct ListRow {
  int64_t line = 0;                 // from 1; where it begins
  std::vector<std::string> fields;  // as they are written
};

// A list, whatever it was written in, as rows of columns.
struct ListTable {
  std::vector<ListRow> rows;
  std::vector<std::string> titles;  // where the format has them beside the rows (JSON); else empty
  std::vector<ListFault> faults;    // lines that are no rows
  std::string format;               // for people: "JSON lines", "separated by semicolons"
  int64_t comments = 0;             // lines that were skipped
  int64_t blank_lines = 0;
};

}  // namespace reinstate

#pragma once

#include <string>
#include <vector>

namespace reinstate {

struct Column {
  std::string name;
  std::string type;  // as the store names it
  bool in_key = false;

  friend bool operator==(const Column&, const Column&) = default;
};

// How the payloads of a table are to be read. A value.
struct TableSchema {
  std::string identity;  // stays the same when the table is renamed (PostgreSQL: its OID; embedded:
                         // its name)
  std::string name;      // for people; qualified where the store has schemas
  std::vector<Column> columns;

  friend bool operator==(const TableSchema&, const TableSchema&) = default;
};

}  // namespace reinstate

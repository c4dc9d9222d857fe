#pragma once

#include <string>

#include "storage/model/row_key.h"

namespace reinstate {

// One row of one tenant's table: its key and its payload. In a relational store the payload is the
// row's text in COPY format under pinned settings; in a key-value store it is the value.
struct Record {
  RowKey key;
  std::string payload;

  friend bool operator==(const Record&, const Record&) = default;
};

}  // namespace reinstate

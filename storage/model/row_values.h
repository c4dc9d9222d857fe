#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/model/record.h"
#include "storage/model/table_schema.h"

namespace reinstate {

// A record by its columns: how rows leave the history and come into it. A value.
struct RowValues {
  // The texts of the key's columns, in the order of the key; of a relational table without a key
  // the hash of the row and its ordinal. In a key-value table: the one key.
  std::vector<std::string> key;
  // Of each column, nullopt for NULL. In a key-value table: the one payload.
  std::vector<std::optional<std::string>> values;

  friend bool operator==(const RowValues&, const RowValues&) = default;
};

// Whether the table is a named keyspace of a key-value store, whose records are key and value as
// the application wrote them. All others are relational: their payloads are COPY text.
bool IsKeyValue(const TableSchema& schema);

// Takes a record of the table apart. CORRUPT if it is none, without its values.
absl::Status SplitRecord(const TableSchema& schema, const Record& record, RowValues* row);

// Puts a record of the table together. `key_order` are the columns of the key in its order; empty
// where it is not known. INVALID_ARGUMENT, with what is wrong but without its values, if the row
// is none of the table, or its key is missing where it cannot be told, or is not that of its
// values.
absl::StatusOr<Record> JoinRecord(const TableSchema& schema, const std::vector<size_t>& key_order,
                                  const RowValues& row);

}  // namespace reinstate

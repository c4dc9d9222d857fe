#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/model/copy_text.h"
#include "storage/model/record.h"

namespace reinstate {

// How the rows of one table are read.
struct RowLayout {
  int columns = 0;       // in the payload: those that are not generated, ascending by attnum
  std::vector<int> key;  // which of them are the key, from 0, in key order; empty: no key
};

// Makes records of one table from COPY lines. The payload is the COPY line of the columns. The key
// is, by AppendKeyPart, the text of each key column; of a table without a key it is the 32
// hexadecimal digits of the row's hash and an ordinal among rows that are equal (10 digits), which
// the server computes (RowSelect in ownership.h).
//
// What each kind of line has, in this order: owner (cuts only); hash and ordinal (tables without a
// key only); the columns.
//
// Thread-safe: has no state but the layout.
class RowCodec {
 public:
  explicit RowCodec(RowLayout layout) : layout_(std::move(layout)) {}

  const RowLayout& layout() const { return layout_; }
  bool has_key() const { return !layout_.key.empty(); }

  // Decodes a line of a session, without an owner. CORRUPT if it has another number of fields, an
  // unknown escape, or NULL in a key column; the message has no values.
  absl::Status Decode(std::string_view line, Record* record) const;

  // Decodes a line of a cut. `*owner` becomes empty if the row has none; INVALID_ARGUMENT
  // (TENANT_ID_INVALID) if it is owned by the empty text, which is no tenant's id.
  absl::Status DecodeOwned(std::string_view line, std::string* owner, Record* record) const;

  // The key of a payload, of a table that has one.
  absl::StatusOr<RowKey> KeyOf(std::string_view payload) const;

  // The texts of a key: of the key columns, or the hash and the ordinal. CORRUPT if it is no key of
  // such a table.
  absl::StatusOr<std::vector<std::string>> KeyTexts(const RowKey& key) const;

 private:
  absl::Status AppendKeyOf(std::string_view payload, std::string* key) const;
  absl::Status AppendHashKey(std::string_view* line, std::string* key) const;

  const RowLayout layout_;
};

}  // namespace reinstate

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace reinstate {

// One version of a record as it is stored: what it was, or that it was gone (a tombstone). Borrows
// its payload.
struct StoredRecord {
  bool tombstone = false;
  uint32_t schema_id = 0;  // in its lineage
  std::string_view payload;

  friend bool operator==(const StoredRecord&, const StoredRecord&) = default;
};

// The values of the family `records`: flags (1 byte), schema id (varint), payload, checksum. A
// tombstone has neither id nor payload.
class RecordCodec {
 public:
  // Replaces `*value`.
  static void Encode(std::string_view key, const StoredRecord& record, std::string* value);

  // CORRUPT if the checksum is wrong or the value malformed. Borrows from `value`.
  static absl::StatusOr<StoredRecord> Decode(std::string_view key, std::string_view value);
};

}  // namespace reinstate

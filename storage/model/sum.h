#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/model/record.h"

namespace reinstate {

__extension__ using Uint128 = unsigned __int128;

// Computes the hash of a record: XXH3-128 (xxHash 0.8) with a seed, over the length-framed table
// number, key and payload. A value; const calls are thread-safe. Protects against accidents, not
// against people.
class RecordHasher {
 public:
  explicit RecordHasher(uint64_t seed) : seed_(seed) {}

  // `table` is the number of the table in its lineage.
  Uint128 Hash(uint32_t table, std::string_view key, std::string_view payload) const;

 private:
  uint64_t seed_;
};

// What verification compares: count, bytes and the sum of hashes modulo 2^128 over a set of
// records. Needs no order, can be kept up to date, and does not cancel duplicates as XOR would. A
// value.
struct Sum {
  int64_t rows = 0;
  int64_t bytes = 0;  // keys and payloads
  Uint128 hash = 0;

  // Adds or takes away one record with the given hash and size (key and payload).
  void Add(Uint128 record_hash, int64_t record_bytes);
  void Subtract(Uint128 record_hash, int64_t record_bytes);

  Sum& operator+=(const Sum& other);
  Sum& operator-=(const Sum& other);
  friend bool operator==(const Sum&, const Sum&) = default;

  // e.g. "1204 rows, 88123 bytes, 0f…(32 hexadecimal digits)"; for certificates and messages.
  std::string ToString() const;
};

inline int64_t RecordBytes(const Record& record) {
  return static_cast<int64_t>(record.key.bytes().size() + record.payload.size());
}

// 16 bytes, big-endian; and 32 hexadecimal digits.
void AppendUint128(Uint128 value, std::string* out);
std::string Uint128ToBytes(Uint128 value);
Uint128 Uint128FromBytes(std::string_view sixteen_bytes);
std::string Uint128ToHex(Uint128 value);

}  // namespace reinstate

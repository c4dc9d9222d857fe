#include "storage/model/sum.h"

#include <xxhash.h>

#include <array>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/model/key_parts.h"

namespace reinstate {
namespace {

// Records up to this size are hashed from one buffer on the stack, which is faster than the
// streaming interface.
constexpr size_t kFlatBytes = 1024;

struct Frame {
  uint32_t table;
  uint32_t key_bytes;
  uint64_t payload_bytes;
};
static_assert(sizeof(Frame) == 16, "no padding may enter the hash");

Uint128 Join(XXH128_hash_t hash) { return (static_cast<Uint128>(hash.high64) << 64) | hash.low64; }

}  // namespace

Uint128 RecordHasher::Hash(uint32_t table, std::string_view key, std::string_view payload) const {
  const Frame frame{.table = table,
                    .key_bytes = static_cast<uint32_t>(key.size()),
                    .payload_bytes = payload.size()};
  const size_t total = sizeof(frame) + key.size() + payload.size();
  if (total <= kFlatBytes) {
    std::array<char, kFlatBytes>
        flat;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
    std::memcpy(flat.data(), &frame, sizeof(frame));
    // Not memcpy, which must not be given the null pointer of an empty view.
    key.copy(flat.data() + sizeof(frame), key.size());
    payload.copy(flat.data() + sizeof(frame) + key.size(), payload.size());
    return Join(XXH3_128bits_withSeed(flat.data(), total, seed_));
  }
  XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_128bits_reset_withSeed(&state, seed_);
  XXH3_128bits_update(&state, &frame, sizeof(frame));
  XXH3_128bits_update(&state, key.data(), key.size());
  XXH3_128bits_update(&state, payload.data(), payload.size());
  return Join(XXH3_128bits_digest(&state));
}

void Sum::Add(Uint128 record_hash, int64_t record_bytes) {
  ++rows;
  bytes += record_bytes;
  hash += record_hash;
}

void Sum::Subtract(Uint128 record_hash, int64_t record_bytes) {
  --rows;
  bytes -= record_bytes;
  hash -= record_hash;
}

Sum& Sum::operator+=(const Sum& other) {
  rows += other.rows;
  bytes += other.bytes;
  hash += other.hash;
  return *this;
}

Sum& Sum::operator-=(const Sum& other) {
  rows -= other.rows;
  bytes -= other.bytes;
  hash -= other.hash;
  return *this;
}

std::string Sum::ToString() const {
  return absl::StrCat(rows, " rows, ", bytes, " bytes, ", Uint128ToHex(hash));
}

void AppendUint128(Uint128 value, std::string* out) {
  AppendKeyPart64(static_cast<uint64_t>(value >> 64), out);
  AppendKeyPart64(static_cast<uint64_t>(value), out);
}

std::string Uint128ToBytes(Uint128 value) {
  std::string bytes;
  AppendUint128(value, &bytes);
  return bytes;
}

Uint128 Uint128FromBytes(std::string_view sixteen_bytes) {
  Uint128 value = 0;
  for (const char byte : sixteen_bytes.substr(0, 16)) {
    value = (value << 8) | static_cast<unsigned char>(byte);
  }
  return value;
}

std::string Uint128ToHex(Uint128 value) { return absl::BytesToHexString(Uint128ToBytes(value)); }

}  // namespace reinstate

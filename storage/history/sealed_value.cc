#include "storage/history/sealed_value.h"

#include <xxhash.h>

#include <cstdint>

#include "storage/base/error.h"
#include "storage/model/key_parts.h"

namespace reinstate {
namespace {

uint32_t ChecksumOf(std::string_view key, std::string_view value) {
  const uint64_t of_key = XXH3_64bits(key.data(), key.size());
  return static_cast<uint32_t>(XXH3_64bits_withSeed(value.data(), value.size(), of_key));
}

}  // namespace

void Seal(std::string_view key, std::string* value) {
  AppendKeyPart32(ChecksumOf(key, *value), value);
}

absl::StatusOr<std::string_view> Unseal(std::string_view key, std::string_view sealed) {
  if (sealed.size() >= kSealBytes) {
    const std::string_view value = sealed.substr(0, sealed.size() - kSealBytes);
    std::string_view seal = sealed.substr(value.size());
    uint32_t stored = 0;
    ConsumeKeyPart32(&seal, &stored);
    if (stored == ChecksumOf(key, value)) {
      return value;
    }
  }
  return MakeError(Reason::kCorrupt,
                   "A value in the history has a wrong checksum. The disk has damaged it: restore "
                   "the history's folder from a copy.");
}

}  // namespace reinstate

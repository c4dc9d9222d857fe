#include "storage/model/key_parts.h"

#include <array>

namespace reinstate {
namespace {

constexpr char kEscape = '\x00';
constexpr char kEscapedNul = '\xff';
constexpr char kTerminator = '\x01';

template <typename Number>
void AppendBigEndian(Number number, std::string* key) {
  std::array<char, sizeof(Number)> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  for (size_t i = sizeof(Number); i > 0; --i) {
    bytes[i - 1] = static_cast<char>(number);
    number = static_cast<Number>(number >> 8);
  }
  key->append(bytes.data(), bytes.size());
}

template <typename Number>
bool ConsumeBigEndian(std::string_view* key, Number* number) {
  if (key->size() < sizeof(Number)) {
    return false;
  }
  *number = 0;
  for (size_t i = 0; i < sizeof(Number); ++i) {
    *number = static_cast<Number>((*number << 8) | static_cast<unsigned char>((*key)[i]));
  }
  key->remove_prefix(sizeof(Number));
  return true;
}

}  // namespace

void AppendKeyPart(std::string_view bytes, std::string* key) {
  while (true) {
    const size_t nul = bytes.find(kEscape);
    key->append(bytes.substr(0, nul));
    if (nul == std::string_view::npos) {
      break;
    }
    key->push_back(kEscape);
    key->push_back(kEscapedNul);
    bytes.remove_prefix(nul + 1);
  }
  key->push_back(kEscape);
  key->push_back(kTerminator);
}

void AppendKeyPart32(uint32_t number, std::string* key) { AppendBigEndian(number, key); }

void AppendKeyPart64(uint64_t number, std::string* key) { AppendBigEndian(number, key); }

bool ConsumeKeyPart(std::string_view* key, std::string* bytes) {
  bytes->clear();
  while (true) {
    const size_t nul = key->find(kEscape);
    if (nul == std::string_view::npos || nul + 1 == key->size()) {
      return false;
    }
    bytes->append(key->substr(0, nul));
    const char mark = (*key)[nul + 1];
    key->remove_prefix(nul + 2);
    if (mark == kTerminator) {
      return true;
    }
    if (mark != kEscapedNul) {
      return false;
    }
    bytes->push_back(kEscape);
  }
}

bool ConsumeKeyPart32(std::string_view* key, uint32_t* number) {
  return ConsumeBigEndian(key, number);
}

bool ConsumeKeyPart64(std::string_view* key, uint64_t* number) {
  return ConsumeBigEndian(key, number);
}

}  // namespace reinstate

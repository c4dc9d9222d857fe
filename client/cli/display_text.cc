#include "client/cli/display_text.h"

#include <clocale>
#include <cwchar>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace reinstate {
namespace {

// One character of a UTF-8 text.
struct Character {
  char32_t code_point = 0;
  int bytes = 1;
  bool valid = false;
};

int LengthByFirstByte(unsigned char byte) {
  if (byte < 0x80) {
    return 1;
  }
  if (byte < 0xc2 || byte > 0xf4) {
    return 0;
  }
  return byte < 0xe0 ? 2 : (byte < 0xf0 ? 3 : 4);
}

// The character that `text`, which is not empty, begins with.
Character Decode(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const int bytes = LengthByFirstByte(first);
  if (bytes == 0 || static_cast<size_t>(bytes) > text.size()) {
    return {};
  }
  char32_t code_point = bytes == 1 ? first : first & (0x7fU >> bytes);
  for (int i = 1; i < bytes; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0U) != 0x80U) {
      return {};
    }
    code_point = (code_point << 6) | (byte & 0x3fU);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  if (code_point < kSmallest[bytes] || code_point > 0x10ffff || surrogate) {
    return {};
  }
  return {code_point, bytes, true};
}

// What changes the direction or the place of the text around it.
bool IsControl(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

int WidthOf(char32_t c) {
  // wcwidth depends on the locale of the thread; this one is built into glibc.
  static const locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  const locale_t before = uselocale(utf8);
  const int width = wcwidth(static_cast<wchar_t>(c));
  uselocale(before);
  return width < 0 ? 1 : width;
}

void AppendEscaped(std::string_view bytes, std::string* result) {
  for (const char byte : bytes) {
    absl::StrAppend(result, "\\x", absl::Hex(static_cast<unsigned char>(byte), absl::kZeroPad2));
  }
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const Character character = Decode(text);
    const std::string_view bytes = text.substr(0, character.bytes);
    if (character.valid && !IsControl(character.code_point)) {
      result.append(bytes);
    } else {
      AppendEscaped(bytes, &result);
    }
    text.remove_prefix(bytes.size());
  }
  return result;
}

int DisplayWidth(std::string_view text) {
  int width = 0;
  while (!text.empty()) {
    const Character character = Decode(text);
    width += character.code_point < 0x80 ? 1 : WidthOf(character.code_point);
    text.remove_prefix(character.bytes);
  }
  return width;
}

std::string CutToWidth(std::string_view text, int width) {
  if (DisplayWidth(text) <= width) {
    return std::string(text);
  }
  size_t end = 0;
  int used = 1;  // the ellipsis
  while (end < text.size()) {
    const Character character = Decode(text.substr(end));
    used += DisplayWidth(text.substr(end, character.bytes));
    if (used > width) {
      break;
    }
    end += character.bytes;
  }
  return absl::StrCat(std::string(text.substr(0, end)), "…");
}

}  // namespace reinstate

#include "client/cli/display_text.h"

#include <unicode/utf8.h>

#include <clocale>
#include <cstdint>
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

// The character that `text`, which is not empty, begins with.
Character Decode(std::string_view text) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  int32_t length = 0;
  UChar32 code_point = 0;
  U8_NEXT(bytes, length, static_cast<int32_t>(text.size()), code_point);
  return {
      .code_point = static_cast<char32_t>(code_point), .bytes = length, .valid = code_point >= 0};
}

// What changes the direction or the place of the text around it.
bool IsControl(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

int WidthOf(char32_t c) {
  // wcwidth depends on the locale of the thread; this one is built into glibc.
  static const locale_t kUtf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  const locale_t before = uselocale(kUtf8);
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

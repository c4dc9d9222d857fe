#include "storage/model/key_text.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/model/key_parts.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

constexpr size_t kMaxKeyTextBytes = 256;

// The length of the printable character at the front of `text`, or 0 if there is none.
size_t PrintableLength(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  if (first < 0x80) {
    return first >= 0x20 && first != 0x7F && first != '\\' ? 1 : 0;
  }
  for (size_t length = 2; length <= std::min<size_t>(4, text.size()); ++length) {
    // U+0080 to U+009F are control characters.
    if (IsUtf8(text.substr(0, length))) {
      const bool control = first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
      return control ? 0 : length;
    }
  }
  return 0;
}

// The texts of the columns that a key was framed from; empty if it is no such key.
std::vector<std::string> ColumnsOfKey(std::string_view key) {
  std::vector<std::string> columns;
  while (!key.empty()) {
    if (!ConsumeKeyPart(&key, &columns.emplace_back())) {
      return {};
    }
  }
  return columns;
}

// False if there was no room for all of it.
bool AppendPrintable(std::string_view bytes, std::string* text) {
  while (!bytes.empty()) {
    if (text->size() >= kMaxKeyTextBytes) {
      return false;
    }
    const size_t length = PrintableLength(bytes);
    if (length == 0) {
      absl::StrAppend(text, "\\x",
                      absl::Hex(static_cast<unsigned char>(bytes.front()), absl::kZeroPad2));
      bytes.remove_prefix(1);
    } else {
      text->append(bytes.substr(0, length));
      bytes.remove_prefix(length);
    }
  }
  return true;
}

}  // namespace

std::string PrintableKey(std::string_view key) {
  std::string text;
  bool cut = false;
  const std::vector<std::string> columns = ColumnsOfKey(key);
  if (columns.empty()) {
    cut = !AppendPrintable(key, &text);
  }
  for (size_t i = 0; i < columns.size() && !cut; ++i) {
    text.append(i == 0 ? "" : ", ");
    cut = !AppendPrintable(columns[i], &text);
  }
  return cut ? text + "…" : text;
}

}  // namespace reinstate

#include "storage/model/copy_text.h"

namespace reinstate {
namespace {

constexpr char kTab = '\t';

// The character after a backslash, or 0 if the server writes no such escape.
char EscapedCharacter(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    case '\\':
      return '\\';
    default:
      return 0;
  }
}

// What stands for `c` after a backslash, or 0 if it needs none.
char EscapeFor(char c) {
  switch (c) {
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    case '\v':
      return 'v';
    case '\\':
      return '\\';
    default:
      return 0;
  }
}

}  // namespace

void SplitCopyLine(std::string_view line, std::vector<std::string_view>* fields) {
  fields->clear();
  while (true) {
    const size_t tab = line.find(kTab);
    fields->push_back(line.substr(0, tab));
    if (tab == std::string_view::npos) {
      return;
    }
    line.remove_prefix(tab + 1);
  }
}

bool AppendCopyValue(std::string_view field, std::string* value) {
  while (true) {
    const size_t backslash = field.find('\\');
    value->append(field.substr(0, backslash));
    if (backslash == std::string_view::npos) {
      return true;
    }
    const char c = backslash + 1 < field.size() ? EscapedCharacter(field[backslash + 1]) : '\0';
    if (c == 0) {
      return false;
    }
    value->push_back(c);
    field.remove_prefix(backslash + 2);
  }
}

void AppendCopyField(std::string_view value, std::string* line) {
  for (const char c : value) {
    if (const char escape = EscapeFor(c); escape != 0) {
      line->push_back('\\');
      line->push_back(escape);
    } else {
      line->push_back(c);
    }
  }
}

}  // namespace reinstate

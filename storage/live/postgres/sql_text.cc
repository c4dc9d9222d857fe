#include "storage/live/postgres/sql_text.h"

#include "absl/strings/str_cat.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

constexpr char kNul = '\0';

// With U&, backslashes of the name are escapes too.
std::string QuoteIdentifierWithNul(std::string_view name) {
  std::string quoted = "U&\"";
  for (const char c : name) {
    if (c == kNul) {
      quoted += "\\0000";
    } else {
      quoted.append(c == '"' || c == '\\' ? 2 : 1, c);
    }
  }
  quoted += '"';
  return quoted;
}

}  // namespace

std::string QuoteIdentifier(std::string_view name) {
  if (name.find(kNul) != std::string_view::npos) {
    return QuoteIdentifierWithNul(name);
  }
  std::string quoted = "\"";
  for (const char c : name) {
    quoted.append(c == '"' ? 2 : 1, c);
  }
  quoted += '"';
  return quoted;
}

std::string QuoteQualified(std::string_view schema, std::string_view name) {
  return absl::StrCat(QuoteIdentifier(schema), ".", QuoteIdentifier(name));
}

std::string QuoteLiteral(std::string_view text) {
  const bool escaped = text.find('\\') != std::string_view::npos ||  //
                       text.find(kNul) != std::string_view::npos;
  // The blank keeps E apart from a word before it.
  std::string quoted = escaped ? " E'" : "'";
  for (const char c : text) {
    if (c == kNul) {
      quoted += "\\000";
    } else {
      quoted.append(c == '\'' || c == '\\' ? 2 : 1, c);
    }
  }
  quoted += '\'';
  return quoted;
}

std::string CastLiteral(std::string_view text, std::string_view type) {
  return absl::StrCat(QuoteLiteral(text), "::", Absl(type));
}

}  // namespace reinstate

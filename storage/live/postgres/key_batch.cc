#include "storage/live/postgres/key_batch.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/strings.h"
#include "storage/live/postgres/row_codec.h"
#include "storage/live/postgres/sql_text.h"

namespace reinstate {

std::string_view PlanModeSql(PlanMode mode) {
  switch (mode) {
    case PlanMode::kFree:
      break;
    case PlanMode::kProbe:
      return "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; "
             "SET LOCAL enable_mergejoin = off; SET LOCAL enable_nestloop = on; ";
    case PlanMode::kWhole:
      return "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; "
             "SET LOCAL enable_mergejoin = on; SET LOCAL enable_nestloop = off; ";
  }
  return "SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; "
         "SET LOCAL enable_mergejoin = on; SET LOCAL enable_nestloop = on; ";
}

void ArrayText::Add(std::string_view value) {
  text_.append(text_.empty() ? "\"" : ",\"");
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      text_.push_back('\\');
    }
    text_.push_back(c);
  }
  text_.push_back('"');
}

bool ArrayText::AddField(std::string_view field) {
  if (field == kCopyNull) {
    text_.append(text_.empty() ? "NULL" : ",NULL");
    return true;
  }
  value_.clear();
  if (!AppendCopyValue(field, &value_)) {
    return false;
  }
  Add(value_);
  return true;
}

std::string ArrayText::Sql() const {
  return absl::StrCat(QuoteLiteral(absl::StrCat("{", text_, "}")), "::pg_catalog.text[]");
}

void KeyBatch::Add(const std::vector<std::string>& values) {
  for (size_t i = 0; i < columns_.size(); ++i) {
    columns_[i].Add(values[i]);
  }
  ++rows_;
}

bool KeyBatch::AddFields(const std::vector<std::string_view>& fields) {
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (!columns_[i].AddField(fields[i])) {
      return false;
    }
  }
  ++rows_;
  return true;
}

size_t KeyBatch::bytes() const {
  size_t bytes = 0;
  for (const ArrayText& column : columns_) {
    bytes += column.bytes();
  }
  return bytes;
}

std::string KeyBatch::Sql() const {
  std::vector<std::string> arrays;
  std::vector<std::string> names;
  for (const ArrayText& column : columns_) {
    arrays.push_back(column.Sql());
    names.push_back(absl::StrCat("c", arrays.size()));
  }
  return absl::StrCat("unnest(", absl::StrJoin(arrays, ", "), ") WITH ORDINALITY AS k(",
                      absl::StrJoin(names, ", "), ", n)");
}

std::string EqualToBatch(const PgTable& table, const std::vector<PgAttnum>& columns,
                         std::string_view alias, size_t first) {
  std::vector<std::string> equal;
  for (const PgAttnum number : columns) {
    const PgColumn& column = *table.Column(number);
    equal.push_back(absl::StrCat(Absl(alias), ".", QuoteIdentifier(column.name), " = k.c", first++,
                                 "::", column.cast_type));
  }
  return absl::StrJoin(equal, " AND ");
}

std::string OnlyTable(const PgTable& table) {
  return absl::StrCat(table.kind == 'p' ? "" : "ONLY ", table.Sql());
}

}  // namespace reinstate

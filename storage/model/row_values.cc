#include "storage/model/row_values.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/copy_text.h"
#include "storage/model/key_parts.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

constexpr std::string_view kBytes = "bytes";
constexpr size_t kHashDigits = 32;
constexpr size_t kOrdinalDigits = 10;

absl::Status Corrupt(const TableSchema& schema, std::string_view what) {
  return MakeError(Reason::kCorrupt,
                   absl::StrCat("A record of table ", schema.name, " ", std::string(what), "."));
}

absl::Status Wrong(std::string_view what) {
  return MakeError(Reason::kInvalidArgument, std::string(what));
}

bool IsDigits(std::string_view text, std::string_view digits, size_t length) {
  return text.size() == length && text.find_first_not_of(digits) == std::string_view::npos;
}

bool IsHashKey(const std::vector<std::string>& key) {
  return key.size() == 2 && IsDigits(key[0], "0123456789abcdef", kHashDigits) &&
         IsDigits(key[1], "0123456789", kOrdinalDigits);
}

bool HasKey(const TableSchema& schema) {
  return std::any_of(schema.columns.begin(), schema.columns.end(),
                     [](const Column& column) { return column.in_key; });
}

absl::StatusOr<Record> JoinKeyValue(const RowValues& row) {
  if (row.key.size() != 1 || row.values.size() != 1 || !row.values[0].has_value()) {
    return Wrong("a record of a key-value table has one key and one payload");
  }
  return Record{.key = RowKey(row.key[0]), .payload = *row.values[0]};
}

// A text that the store could have written.
absl::Status CheckText(const Column& column, const std::optional<std::string>& value) {
  if (!value.has_value()) {
    return column.in_key ? Wrong(absl::StrCat("column ", column.name, " of the key is NULL"))
                         : absl::OkStatus();
  }
  if (!IsUtf8(*value) || value->find('\0') != std::string::npos) {
    return Wrong(absl::StrCat("the value of column ", column.name, " is not UTF-8 without NUL"));
  }
  return absl::OkStatus();
}

// The key by the values, which are checked.
std::vector<std::string> KeyOfValues(const std::vector<size_t>& key_order, const RowValues& row) {
  std::vector<std::string> key;
  key.reserve(key_order.size());
  for (const size_t column : key_order) {
    key.push_back(*row.values[column]);
  }
  return key;
}

// The key as it was given, which must have the texts of the key's columns in whichever order.
absl::Status CheckGivenKey(const TableSchema& schema, const RowValues& row) {
  if (!HasKey(schema)) {
    return IsHashKey(row.key) ? absl::OkStatus()
                              : Wrong(
                                    "the table has no key, so a row needs the hash and ordinal "
                                    "that it was exported with as its key");
  }
  std::vector<std::string> given = row.key;
  std::vector<std::string> expected;
  for (size_t i = 0; i < schema.columns.size(); ++i) {
    if (schema.columns[i].in_key) {
      expected.push_back(*row.values[i]);
    }
  }
  std::ranges::sort(given);
  std::ranges::sort(expected);
  return given == expected ? absl::OkStatus()
                           : Wrong("the key is missing, or is not that of the columns' values");
}

}  // namespace

bool IsKeyValue(const TableSchema& schema) {
  return schema.columns.empty() ||
         (schema.columns.size() == 2 && schema.columns[0].type == kBytes &&
          schema.columns[1].type == kBytes);
}

absl::Status SplitRecord(const TableSchema& schema, const Record& record, RowValues* row) {
  row->key.clear();
  row->values.clear();
  if (IsKeyValue(schema)) {
    row->key.push_back(record.key.bytes());
    row->values.emplace_back(record.payload);
    return absl::OkStatus();
  }
  std::string_view rest = record.key.bytes();
  while (!rest.empty()) {
    if (!ConsumeKeyPart(&rest, &row->key.emplace_back())) {
      return Corrupt(schema, "has a malformed key");
    }
  }
  std::vector<std::string_view> fields;
  SplitCopyLine(record.payload, &fields);
  if (fields.size() != schema.columns.size()) {
    return Corrupt(schema, absl::StrCat("has ", fields.size(), " values where the table has ",
                                        schema.columns.size(), " columns"));
  }
  for (const std::string_view field : fields) {
    std::optional<std::string>& value = row->values.emplace_back();
    if (field != kCopyNull && !AppendCopyValue(field, &value.emplace())) {
      return Corrupt(schema, "has an escape that no store writes");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Record> JoinRecord(const TableSchema& schema, const std::vector<size_t>& key_order,
                                  const RowValues& row) {
  if (IsKeyValue(schema)) {
    return JoinKeyValue(row);
  }
  if (row.values.size() != schema.columns.size()) {
    return Wrong(absl::StrCat("the row has ", row.values.size(), " values where the table has ",
                              schema.columns.size(), " columns"));
  }
  for (size_t i = 0; i < schema.columns.size(); ++i) {
    RETURN_IF_ERROR(CheckText(schema.columns[i], row.values[i]));
  }
  std::vector<std::string> key = row.key;
  if (!key_order.empty()) {
    key = KeyOfValues(key_order, row);
    if (!row.key.empty() && row.key != key) {
      return Wrong("the key is not that of the columns' values");
    }
  } else {
    RETURN_IF_ERROR(CheckGivenKey(schema, row));
  }
  Record record;
  std::string bytes;
  for (const std::string& part : key) {
    AppendKeyPart(part, &bytes);
  }
  record.key = RowKey(std::move(bytes));
  for (size_t i = 0; i < row.values.size(); ++i) {
    record.payload.append(i == 0 ? "" : "\t");
    if (row.values[i].has_value()) {
      AppendCopyField(*row.values[i], &record.payload);
    } else {
      record.payload.append(kCopyNull);
    }
  }
  return record;
}

}  // namespace reinstate

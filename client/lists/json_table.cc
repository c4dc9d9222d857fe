#include "client/lists/json_table.h"

#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <utility>

#include "client/lists/cell_text.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

using Json = nlohmann::ordered_json;

Json Parsed(const TextLine& line) {
  const std::string_view text = TrimmedCell(line.text);
  return Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
}

std::string TextOf(const Json& value) {
  if (value.is_string()) {
    return value.get<std::string>();
  }
  return value.is_null()
             ? ""
             : value.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

// Puts JSON values into rows of columns.
class Rows {
 public:
  explicit Rows(ListTable* table) : table_(table) {}

  void Add(int64_t line, const Json& value) {
    const bool object = value.is_object();
    if (!object && !value.is_string()) {
      table_->faults.push_back({.line = line, .what = "It is neither a JSON object nor a string."});
    } else if (begun_ && object != objects_) {
      table_->faults.push_back({.line = line,
                                .what = objects_ ? "It is no JSON object as the lines before."
                                                 : "It is no JSON string as the lines before."});
    } else {
      begun_ = true;
      objects_ = object;
      table_->rows.push_back({.line = line, .fields = object ? FieldsOf(value) : Single(value)});
    }
  }

 private:
  static std::vector<std::string> Single(const Json& value) { return {TextOf(value)}; }

  std::vector<std::string> FieldsOf(const Json& object) {
    std::vector<std::string> fields(table_->titles.size());
    for (const auto& [name, value] : object.items()) {
      const auto [column, added] = columns_.try_emplace(name, table_->titles.size());
      if (added) {
        table_->titles.push_back(name);
        fields.emplace_back();
      }
      fields[column->second] = TextOf(value);
    }
    return fields;
  }

  ListTable* const table_;
  std::unordered_map<std::string, size_t> columns_;  // by title
  bool begun_ = false;
  bool objects_ = false;
};

}  // namespace

bool LooksLikeJson(const std::vector<TextLine>& lines) {
  for (const TextLine& line : lines) {
    if (line.blank() || line.comment()) {
      continue;
    }
    const std::string_view text = TrimmedCell(line.text);
    return text.front() == '{' || text.front() == '[' ||
           (text.front() == '"' && text.find('\\') != std::string_view::npos &&
            Parsed(line).is_string());
  }
  return false;
}

absl::StatusOr<ListTable> ReadJsonTable(const std::vector<TextLine>& lines) {
  ListTable table;
  table.format = "JSON lines";
  Rows rows(&table);
  for (const TextLine& line : lines) {
    if (line.blank()) {
      ++table.blank_lines;
    } else if (line.comment()) {
      ++table.comments;
    } else if (table.rows.empty() && table.faults.empty() &&
               TrimmedCell(line.text).starts_with('[')) {
      return MakeError(Reason::kInvalidArgument,
                       "The list is one JSON array; give a line for each tenant, e.g. with: "
                       "jq -c '.[]'");
    } else {
      rows.Add(line.number, Parsed(line));
    }
  }
  return table;
}

}  // namespace reinstate

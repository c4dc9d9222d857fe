#include "client/cli/dump_lines.h"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/api/text_check.h"
#include "client/cli/display_text.h"
#include "client/cli/humanize.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr char kVersionField[] = "reinstate_dump";

// --- Writing ---

// A text as it is, other bytes as {"base64": "…"}.
Json ValueToJson(const v1::DumpValue& value) {
  if (value.null()) {
    return nullptr;
  }
  if (IsWellFormedUtf8(value.value())) {
    return value.value();
  }
  return {{"base64", absl::Base64Escape(value.value())}};
}

// As a field `name`, or else `name`_base64: as in the lines of `record load`.
void PutBytes(const std::string& name, const std::string& bytes, Json* json) {
  if (IsWellFormedUtf8(bytes)) {
    (*json)[name] = bytes;
  } else {
    (*json)[absl::StrCat(name, "_base64")] = absl::Base64Escape(bytes);
  }
}

std::string Text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json TableToJson(const v1::DumpTable& table) {
  Json json = {{"table", table.table()}};
  if (table.columns_size() == 0) {
    return json;
  }
  Json columns = Json::array();
  for (const v1::ColumnInfo& info : table.columns()) {
    Json column = {{"name", info.name()}, {"type", info.type()}};
    if (info.in_key()) {
      column["key"] = true;
    }
    columns.push_back(std::move(column));
  }
  json["columns"] = std::move(columns);
  return json;
}

void PutUnlessEmpty(const char* name, const std::string& text, Json* json) {
  if (!text.empty()) {
    (*json)[name] = text;
  }
}

// --- Reading ---

absl::Status Wrong(const std::string& what) { return MakeError(Reason::kInvalidArgument, what); }

absl::StatusOr<std::string> TextOf(const std::string& name, const Json& value) {
  if (!value.is_string()) {
    return Wrong(absl::StrCat(name, " must be a string"));
  }
  return value.get<std::string>();
}

absl::StatusOr<std::string> FromBase64(const std::string& name, const Json& value) {
  ASSIGN_OR_RETURN(const std::string text, TextOf(name, value));
  std::string bytes;
  if (!absl::Base64Unescape(text, &bytes)) {
    return Wrong(absl::StrCat(name, " is not base64"));
  }
  return bytes;
}

// The fields of `json` are some of `known`.
absl::Status CheckFields(const Json& json, const std::set<std::string>& known) {
  for (const auto& [name, value] : json.items()) {
    if (!known.contains(name)) {
      return Wrong(absl::StrCat("there is an unknown field ", Printable(name)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> OptionalText(const Json& json, const std::string& name) {
  return json.contains(name) ? TextOf(name, json[name]) : absl::StatusOr<std::string>("");
}

absl::StatusOr<v1::DumpValue> ValueFromJson(const std::string& column, const Json& json) {
  v1::DumpValue value;
  if (json.is_null()) {
    value.set_null(true);
  } else if (json.is_string()) {
    value.set_value(json.get<std::string>());
  } else if (json.is_number_integer()) {
    value.set_value(json.dump());
  } else if (json.is_object() && json.size() == 1 && json.contains("base64")) {
    ASSIGN_OR_RETURN(*value.mutable_value(), FromBase64("base64", json["base64"]));
  } else {
    return Wrong(absl::StrCat("the value of column ", Printable(column),
                              " must be its text as the store writes it, in a string, or null"));
  }
  return value;
}

absl::StatusOr<v1::ColumnInfo> ColumnFromJson(const Json& json) {
  v1::ColumnInfo column;
  if (!json.is_object() || !json.contains("name")) {
    return Wrong(R"(a column is {"name": "…", "type": "…", "key": true})");
  }
  RETURN_IF_ERROR(CheckFields(json, {"name", "type", "key"}));
  ASSIGN_OR_RETURN(*column.mutable_name(), TextOf("name", json["name"]));
  ASSIGN_OR_RETURN(*column.mutable_type(), OptionalText(json, "type"));
  if (json.contains("key")) {
    if (!json["key"].is_boolean()) {
      return Wrong("key of a column must be true or false");
    }
    column.set_in_key(json["key"].get<bool>());
  }
  return column;
}

absl::StatusOr<v1::DumpTable> TableFromJson(const Json& json) {
  v1::DumpTable table;
  if (!json.is_object() || !json.contains("table")) {
    return Wrong(R"(a table of the header is {"table": "…", "columns": [{"name": "…", …}, …]})");
  }
  RETURN_IF_ERROR(CheckFields(json, {"table", "columns"}));
  ASSIGN_OR_RETURN(*table.mutable_table(), TextOf("table", json["table"]));
  if (json.contains("columns")) {
    if (!json["columns"].is_array()) {
      return Wrong("columns must be a list");
    }
    for (const Json& column : json["columns"]) {
      ASSIGN_OR_RETURN(*table.add_columns(), ColumnFromJson(column));
    }
  }
  return table;
}

absl::Status SetInstant(const Json& json, v1::DumpHeader* header) {
  ASSIGN_OR_RETURN(const std::string text, OptionalText(json, "instant"));
  absl::Time time;
  std::string error;
  if (text.empty() || !absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
    return Wrong("instant must say what time the dump shows, with its zone: 2026-04-05T07:38:00Z");
  }
  const int64_t micros = absl::ToUnixMicros(time);
  const int64_t seconds = absl::ToUnixSeconds(time);
  header->mutable_instant()->set_seconds(seconds);
  header->mutable_instant()->set_nanos(static_cast<int32_t>((micros - seconds * 1'000'000) * 1000));
  return absl::OkStatus();
}

// A key-value record: key and payload, or their base64.
absl::StatusOr<v1::DumpRow> RecordFromJson(const Json& json) {
  RETURN_IF_ERROR(
      CheckFields(json, {"tenant", "table", "key", "key_base64", "payload", "payload_base64"}));
  if (json.contains("key") == json.contains("key_base64") ||
      json.contains("payload") == json.contains("payload_base64")) {
    return Wrong("a record needs key and payload, or key_base64 and payload_base64, once each");
  }
  v1::DumpRow row;
  v1::DumpValue* payload = row.add_values();
  if (json.contains("key")) {
    ASSIGN_OR_RETURN(*row.add_key(), TextOf("key", json["key"]));
  } else {
    ASSIGN_OR_RETURN(*row.add_key(), FromBase64("key_base64", json["key_base64"]));
  }
  if (json.contains("payload")) {
    ASSIGN_OR_RETURN(*payload->mutable_value(), TextOf("payload", json["payload"]));
  } else {
    ASSIGN_OR_RETURN(*payload->mutable_value(),
                     FromBase64("payload_base64", json["payload_base64"]));
  }
  return row;
}

// A row of a relational table.
absl::StatusOr<v1::DumpRow> RowFromJson(const Json& json,
                                        const std::map<std::string, int>& columns) {
  RETURN_IF_ERROR(CheckFields(json, {"tenant", "table", "key", "columns"}));
  v1::DumpRow row;
  if (json.contains("key")) {
    if (!json["key"].is_array()) {
      return Wrong("key must be a list of the key's texts");
    }
    for (const Json& part : json["key"]) {
      ASSIGN_OR_RETURN(*row.add_key(), TextOf("key", part));
    }
  }
  if (!json.contains("columns") || !json["columns"].is_object() ||
      json["columns"].size() != columns.size()) {
    return Wrong(absl::StrCat("columns must be an object with the ", columns.size(),
                              " columns of the table, each once"));
  }
  for (size_t i = 0; i < columns.size(); ++i) {
    row.add_values();
  }
  for (const auto& [name, value] : json["columns"].items()) {
    const auto column = columns.find(name);
    if (column == columns.end()) {
      return Wrong(absl::StrCat("the header has no column ", Printable(name)));
    }
    ASSIGN_OR_RETURN(*row.mutable_values(column->second), ValueFromJson(name, value));
  }
  return row;
}

absl::StatusOr<v1::DumpLabels> LabelsFromJson(const std::string& tenant, const Json& json) {
  RETURN_IF_ERROR(CheckFields(json, {"tenant", "labels"}));
  v1::DumpLabels labels;
  labels.set_tenant(tenant);
  if (!json["labels"].is_array()) {
    return Wrong("labels must be a list of strings");
  }
  for (const Json& label : json["labels"]) {
    ASSIGN_OR_RETURN(*labels.add_labels(), TextOf("labels", label));
  }
  return labels;
}

// The tenant of a line; null is nobody.
absl::StatusOr<std::string> TenantOf(const Json& json) {
  if (!json.contains("tenant")) {
    return Wrong("the line has no tenant; null is nobody");
  }
  if (json["tenant"].is_null()) {
    return std::string();
  }
  ASSIGN_OR_RETURN(std::string tenant, TextOf("tenant", json["tenant"]));
  if (tenant.empty()) {
    return Wrong("tenant is empty; null is nobody");
  }
  return tenant;
}

absl::StatusOr<v1::DumpEnd> EndFromJson(const Json& json, const DumpLineParser::Tables& tables) {
  RETURN_IF_ERROR(CheckFields(json, {"end", "rows", "sum"}));
  if (json["end"] != true || !json.contains("rows") || !json["rows"].is_object()) {
    return Wrong(R"(the end of a dump is {"end": true, "rows": {"<table>": <number>, …}})");
  }
  v1::DumpEnd end;
  for (size_t i = 0; i < tables.size(); ++i) {
    end.add_rows(0);
  }
  for (const auto& [name, rows] : json["rows"].items()) {
    const auto table = tables.find(name);
    if (table == tables.end() || !rows.is_number_unsigned()) {
      return Wrong(absl::StrCat("rows of ", Printable(name),
                                " is no number, or the header has no such table"));
    }
    end.set_rows(table->second.index, rows.get<int64_t>());
  }
  return end;
}

// Labels, or a row.
absl::Status TakePart(const Json& json, const DumpLineParser::Tables& tables,
                      const DumpReceiver& receiver) {
  ASSIGN_OR_RETURN(const std::string tenant, TenantOf(json));
  if (json.contains("labels")) {
    ASSIGN_OR_RETURN(v1::DumpLabels labels, LabelsFromJson(tenant, json));
    return receiver.labels(std::move(labels));
  }
  ASSIGN_OR_RETURN(const std::string name, OptionalText(json, "table"));
  const auto table = tables.find(name);
  if (table == tables.end()) {
    return Wrong(absl::StrCat("the header has no table \"", Printable(name), "\""));
  }
  absl::StatusOr<v1::DumpRow> row = table->second.columns.empty()
                                        ? RecordFromJson(json)
                                        : RowFromJson(json, table->second.columns);
  RETURN_IF_ERROR(row.status());
  return receiver.row(tenant, table->second.index, *std::move(row));
}

}  // namespace

std::string DumpHeaderLine(const v1::DumpHeader& header) {
  Json json = {{kVersionField, kVersion}};
  PutUnlessEmpty("store", header.store(), &json);
  PutUnlessEmpty("store_identity", header.store_identity(), &json);
  json["instant"] = Rfc3339(ToTime(header.instant()));
  PutUnlessEmpty("position", header.position(), &json);
  PutUnlessEmpty("snapshot", header.snapshot(), &json);
  PutUnlessEmpty("tenant", header.tenant(), &json);
  json["tables"] = Json::array();
  for (const v1::DumpTable& table : header.tables()) {
    json["tables"].push_back(TableToJson(table));
  }
  return Text(json);
}

std::string DumpLabelsLine(const v1::DumpLabels& labels) {
  Json json = {{"tenant", labels.tenant()}, {"labels", Json::array()}};
  for (const std::string& label : labels.labels()) {
    json["labels"].push_back(label);
  }
  return Text(json);
}

std::string DumpRowLine(const v1::DumpTable& table, const std::string& tenant,
                        const v1::DumpRow& row) {
  Json json = Json::object();
  json["tenant"] = tenant.empty() ? Json(nullptr) : Json(tenant);
  json["table"] = table.table();
  if (table.columns_size() == 0) {
    PutBytes("key", row.key_size() > 0 ? row.key(0) : "", &json);
    PutBytes("payload", row.values_size() > 0 ? row.values(0).value() : "", &json);
    return Text(json);
  }
  json["key"] = Json::array();
  for (const std::string& part : row.key()) {
    json["key"].push_back(part);
  }
  json["columns"] = Json::object();
  for (int i = 0; i < row.values_size() && i < table.columns_size(); ++i) {
    json["columns"][table.columns(i).name()] = ValueToJson(row.values(i));
  }
  return Text(json);
}

std::string DumpEndLine(const v1::DumpHeader& header, const v1::DumpEnd& end) {
  Json json = {{"end", true}, {"rows", Json::object()}};
  for (int i = 0; i < header.tables_size() && i < end.rows_size(); ++i) {
    json["rows"][header.tables(i).table()] = end.rows(i);
  }
  PutUnlessEmpty("sum", end.sum(), &json);
  return Text(json);
}

absl::Status DumpLineParser::AddTable(const v1::DumpTable& table) {
  Table entry;
  entry.index = static_cast<int>(tables_.size());
  for (const v1::ColumnInfo& column : table.columns()) {
    const int index = static_cast<int>(entry.columns.size());
    if (!entry.columns.emplace(column.name(), index).second) {
      return Wrong(absl::StrCat("table ", Printable(table.table()), " has a column twice"));
    }
  }
  if (!tables_.emplace(table.table(), std::move(entry)).second) {
    return Wrong(absl::StrCat("table ", Printable(table.table()), " is there twice"));
  }
  return absl::OkStatus();
}

absl::Status DumpLineParser::Header(const std::string& line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains(kVersionField) || json[kVersionField] != kVersion ||
      !json.contains("tables") || !json["tables"].is_array()) {
    return Wrong(R"(the first line of a dump is {"reinstate_dump": 1, "instant": "…", "tables": )"
                 R"([{"table": "…"}, …]}; see client/README.md)");
  }
  RETURN_IF_ERROR(CheckFields(json, {kVersionField, "store", "store_identity", "instant",
                                     "position", "snapshot", "tenant", "tables"}));
  v1::DumpHeader header;
  RETURN_IF_ERROR(SetInstant(json, &header));
  ASSIGN_OR_RETURN(*header.mutable_store(), OptionalText(json, "store"));
  ASSIGN_OR_RETURN(*header.mutable_store_identity(), OptionalText(json, "store_identity"));
  ASSIGN_OR_RETURN(*header.mutable_position(), OptionalText(json, "position"));
  ASSIGN_OR_RETURN(*header.mutable_snapshot(), OptionalText(json, "snapshot"));
  ASSIGN_OR_RETURN(*header.mutable_tenant(), OptionalText(json, "tenant"));
  for (const Json& table : json["tables"]) {
    ASSIGN_OR_RETURN(*header.add_tables(), TableFromJson(table));
    RETURN_IF_ERROR(AddTable(*header.tables().rbegin()));
  }
  begun_ = true;
  return receiver_.header(header);
}

absl::Status DumpLineParser::Line(const std::string& line) {
  if (line.find_first_not_of(" \t\r") == std::string::npos) {
    return absl::OkStatus();
  }
  if (!begun_) {
    return Header(line);
  }
  if (ended_) {
    return Wrong("there is more after the end of the dump");
  }
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return Wrong("this is not a JSON object");
  }
  if (json.contains("end")) {
    ASSIGN_OR_RETURN(v1::DumpEnd end, EndFromJson(json, tables_));
    ended_ = true;
    return receiver_.end(std::move(end));
  }
  return TakePart(json, tables_, receiver_);
}

absl::Status DumpLineParser::Finish() const {
  return ended_ ? absl::OkStatus()
                : MakeError(Reason::kShortfall,
                            "the dump has no end: it was cut off, or what wrote it failed; make it "
                            "again");
}

}  // namespace reinstate

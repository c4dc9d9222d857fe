#include "client/cli/json_record.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

using Json = nlohmann::json;

constexpr char kShape[] =
    R"(a record is {"tenant": "…", "table": "…", "key": "…", "payload": …}, with key_base64 and )"
    R"(payload_base64 for bytes)";

absl::Status Malformed(const std::string& what) {
  return MakeError(Reason::kInvalidArgument, absl::StrCat(what, "; ", kShape));
}

absl::StatusOr<std::string> TextOf(const std::string& name, const Json& value) {
  if (!value.is_string()) {
    return Malformed(absl::StrCat(name, " is not a string"));
  }
  return value.get<std::string>();
}

absl::StatusOr<std::string> BytesOf(const std::string& name, const Json& value) {
  ASSIGN_OR_RETURN(const std::string text, TextOf(name, value));
  std::string bytes;
  if (!absl::Base64Unescape(text, &bytes)) {
    return Malformed(absl::StrCat(name, " is not base64"));
  }
  return bytes;
}

// Puts one field of the object into the record.
absl::Status SetField(const std::string& name, const Json& value, v1::Record* record) {
  if (name == "tenant") {
    ASSIGN_OR_RETURN(*record->mutable_tenant(), TextOf(name, value));
  } else if (name == "table") {
    ASSIGN_OR_RETURN(*record->mutable_table(), TextOf(name, value));
  } else if (name == "key") {
    ASSIGN_OR_RETURN(*record->mutable_key(), TextOf(name, value));
  } else if (name == "key_base64") {
    ASSIGN_OR_RETURN(*record->mutable_key(), BytesOf(name, value));
  } else if (name == "payload") {
    record->set_payload(value.is_string() ? value.get<std::string>() : value.dump());
  } else if (name == "payload_base64") {
    ASSIGN_OR_RETURN(*record->mutable_payload(), BytesOf(name, value));
  } else {
    return Malformed(absl::StrCat("unknown field ", name));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::Record> RecordFromJson(const std::string& line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return Malformed("this is not a JSON object");
  }
  if (json.contains("key") == json.contains("key_base64") ||
      json.contains("payload") == json.contains("payload_base64")) {
    return Malformed("key and payload are needed, once each");
  }
  v1::Record record;
  for (const auto& [name, value] : json.items()) {
    RETURN_IF_ERROR(SetField(name, value, &record));
  }
  if (record.tenant().empty() || record.table().empty() || record.key().empty()) {
    return Malformed("tenant, table and key must not be empty");
  }
  return record;
}

}  // namespace reinstate

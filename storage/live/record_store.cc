#include "storage/live/record_store.h"

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {

absl::Status CheckTableName(std::string_view table) {
  if (table.empty() || table.size() > RecordStore::kMaxTableNameBytes || !IsUtf8(table)) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat("the table name \"", Printable(table), "\" is not UTF-8 of 1 to ",
                                  RecordStore::kMaxTableNameBytes, " bytes"));
  }
  return absl::OkStatus();
}

absl::Status CheckRecordWrite(const RecordWrite& write) {
  if (write.tenant.is_ownerless()) {
    return MakeError(Reason::kTenantIdInvalid,
                     "a record needs the tenant that it belongs to; the tenant id is empty");
  }
  RETURN_IF_ERROR(CheckTableName(write.table));
  if (write.key.bytes().size() > RecordStore::kMaxKeyBytes) {
    return MakeError(Reason::kTooLarge,
                     absl::StrCat("a key in table \"", Printable(write.table), "\" has ",
                                  write.key.bytes().size(), " bytes; at most ",
                                  RecordStore::kMaxKeyBytes, " are allowed"));
  }
  if (write.payload && write.payload->size() > RecordStore::kMaxPayloadBytes) {
    return MakeError(Reason::kTooLarge,
                     absl::StrCat("a payload in table \"", Printable(write.table), "\" has ",
                                  write.payload->size(), " bytes; at most ",
                                  RecordStore::kMaxPayloadBytes, " are allowed"));
  }
  return absl::OkStatus();
}

}  // namespace reinstate

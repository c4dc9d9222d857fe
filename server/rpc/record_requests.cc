#include "server/rpc/record_requests.h"

#include "absl/strings/str_cat.h"
#include "server/rpc/request_checks.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr char kDefaultStore[] = "main";
constexpr size_t kMaxTableBytes = 255;

absl::Status CheckKey(const std::string& field, const std::string& key) {
  RETURN_IF_ERROR(CheckPresent(field, key));
  if (key.size() > RecordStore::kMaxKeyBytes) {
    return FieldError(field,
                      absl::StrCat("has ", key.size(), " bytes; at most ",
                                   RecordStore::kMaxKeyBytes, " are allowed."),
                      Reason::kTooLarge);
  }
  return absl::OkStatus();
}

// Record and RecordKey name their place alike.
template <typename Message>
absl::StatusOr<RecordWrite> PlaceFromWire(const std::string& field, const Message& message) {
  RecordWrite write;
  ASSIGN_OR_RETURN(write.tenant, ParseTenant(absl::StrCat(field, ".tenant"), message.tenant()));
  RETURN_IF_ERROR(CheckTableName(absl::StrCat(field, ".table"), message.table()));
  RETURN_IF_ERROR(CheckKey(absl::StrCat(field, ".key"), message.key()));
  write.table = message.table();
  write.key = RowKey(message.key());
  return write;
}

}  // namespace

absl::StatusOr<RecordStore*> FindRecords(const StoreRegistry& stores, const std::string& name) {
  ASSIGN_OR_RETURN(const ServedStore* store, stores.Find(name.empty() ? kDefaultStore : name));
  if (store->records == nullptr) {
    return MakeError(
        Reason::kUnsupported,
        absl::StrCat("Store ", store->name,
                     " is not embedded; its records are read and written where it is."));
  }
  return store->records;
}

absl::Status CheckTableName(const std::string& field, const std::string& table) {
  RETURN_IF_ERROR(CheckPresent(field, table));
  RETURN_IF_ERROR(CheckLength(field, table, kMaxTableBytes));
  if (table.find('\0') != std::string::npos) {
    return FieldError(field, "must not contain a NUL byte.");
  }
  return absl::OkStatus();
}

absl::StatusOr<RecordWrite> WriteFromWire(const std::string& field, const v1::Record& record) {
  ASSIGN_OR_RETURN(RecordWrite write, PlaceFromWire(field, record));
  if (record.payload().size() > kMaxWirePayloadBytes) {
    return FieldError(absl::StrCat(field, ".payload"),
                      absl::StrCat("has ", record.payload().size(), " bytes; at most ",
                                   kMaxWirePayloadBytes, " are allowed."),
                      Reason::kTooLarge);
  }
  write.payload = record.payload();
  return write;
}

absl::StatusOr<RecordWrite> DeletionFromWire(const std::string& field, const v1::RecordKey& key) {
  return PlaceFromWire(field, key);
}

}  // namespace reinstate

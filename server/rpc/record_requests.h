#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reinstate/v1/record_service.pb.h"
#include "server/jobs/store_registry.h"
#include "storage/live/record_store.h"

namespace reinstate {

inline constexpr size_t kMaxWirePayloadBytes = 1 << 20;
inline constexpr int kMaxBulkOperations = 10'000;  // in one message

// The records of the embedded store `name`, or of "main" if it is empty. STORE_NOT_FOUND;
// UNSUPPORTED if it is not an embedded one.
absl::StatusOr<RecordStore*> FindRecords(const StoreRegistry& stores, const std::string& name);

// INVALID_ARGUMENT unless 1 to 255 bytes without NUL.
absl::Status CheckTableName(const std::string& field, const std::string& table);

// What is to be written. TENANT_ID_INVALID, INVALID_ARGUMENT, TOO_LARGE; `field` is the path of the
// message in the request.
absl::StatusOr<RecordWrite> WriteFromWire(const std::string& field, const v1::Record& record);
absl::StatusOr<RecordWrite> DeletionFromWire(const std::string& field, const v1::RecordKey& key);

}  // namespace reinstate

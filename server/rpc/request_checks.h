#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/error.h"
#include "storage/model/snapshot_id.h"
#include "storage/model/tenant_id.h"

// Checks that several services make of what they receive. `field` is the path of the field in the
// request; it goes over the wire as a google.rpc.BadRequest.

namespace reinstate {

inline constexpr size_t kMaxReasonBytes = 4096;
inline constexpr size_t kMaxShortTextBytes = 256;  // actors, references, request ids
inline constexpr int kMaxTables = 10'000;          // in one request

// An error about one field. `sentence` says what is wrong and what would be right.
absl::Status FieldError(std::string_view field, std::string_view sentence,
                        Reason reason = Reason::kInvalidArgument);

// `status`, as one about a field.
absl::Status AboutField(absl::Status status, std::string_view field);

// The field that `status` is about; empty if it is not of FieldError.
std::string FieldOf(const absl::Status& status);

// TENANT_ID_INVALID.
absl::StatusOr<TenantId> ParseTenant(std::string_view field, std::string_view text);

// POINT_INVALID.
absl::StatusOr<SnapshotId> ParseSnapshot(std::string_view field, std::string_view text);

// INVALID_ARGUMENT if `text` is empty.
absl::Status CheckPresent(std::string_view field, std::string_view text);

// INVALID_ARGUMENT if `text` has more than `max_bytes`.
absl::Status CheckLength(std::string_view field, std::string_view text, size_t max_bytes);

// Of how many of its rows a tenant must have less left to count as lost: `fraction`, in (0, 1], of
// the field `lost_fraction`; 0 means a half. INVALID_ARGUMENT otherwise.
absl::StatusOr<double> ParseLostFraction(double fraction);

}  // namespace reinstate

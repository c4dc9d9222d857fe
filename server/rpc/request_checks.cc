#include "server/rpc/request_checks.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

constexpr absl::string_view kFieldPayload = "reinstate.field";

}  // namespace

absl::Status AboutField(absl::Status status, std::string_view field) {
  status.SetPayload(kFieldPayload, absl::Cord(Absl(field)));
  return status;
}

absl::Status FieldError(std::string_view field, std::string_view sentence, Reason reason) {
  return AboutField(MakeError(reason, absl::StrCat(Absl(field), ": ", Absl(sentence))), field);
}

std::string FieldOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kFieldPayload);
  return payload.has_value() ? std::string(*payload) : "";
}

absl::StatusOr<TenantId> ParseTenant(std::string_view field, std::string_view text) {
  absl::StatusOr<TenantId> tenant = TenantId::Parse(text);
  return tenant.ok() ? tenant : AboutField(tenant.status(), field);
}

absl::StatusOr<SnapshotId> ParseSnapshot(std::string_view field, std::string_view text) {
  absl::StatusOr<SnapshotId> snapshot = SnapshotId::Parse(text);
  return snapshot.ok() ? snapshot : AboutField(snapshot.status(), field);
}

absl::Status CheckPresent(std::string_view field, std::string_view text) {
  return text.empty() ? FieldError(field, "is required and must not be empty.") : absl::OkStatus();
}

absl::Status CheckLength(std::string_view field, std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) {
    return absl::OkStatus();
  }
  return FieldError(
      field, absl::StrCat("has ", text.size(), " bytes; at most ", max_bytes, " are allowed."));
}

absl::StatusOr<double> ParseLostFraction(double fraction) {
  constexpr double kHalf = 0.5;
  if (fraction == 0) {
    return kHalf;
  }
  if (!(fraction > 0 && fraction <= 1)) {
    return FieldError("lost_fraction", "must be a fraction in (0, 1], or 0 for 0.5.");
  }
  return fraction;
}

}  // namespace reinstate

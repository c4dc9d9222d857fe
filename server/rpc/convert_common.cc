#include "server/rpc/convert_common.h"

#include "absl/strings/escaping.h"
#include "storage/base/strings.h"

namespace reinstate {

void ToWire(absl::Time time, google::protobuf::Timestamp* wire) {
  const int64_t us = absl::ToUnixMicros(time);
  const int64_t seconds = absl::ToUnixSeconds(time);
  wire->set_seconds(seconds);
  wire->set_nanos(static_cast<int32_t>((us - seconds * 1'000'000) * 1000));
}

void ToWire(absl::Duration duration, google::protobuf::Duration* wire) {
  wire->set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  wire->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
}

absl::Time FromWire(const google::protobuf::Timestamp& wire) {
  return absl::FromUnixSeconds(wire.seconds()) + absl::Nanoseconds(wire.nanos());
}

void ToWire(const state::Actor& actor, v1::Actor* wire) {
  wire->set_name(actor.name());
  wire->set_verified(actor.verified());
}

void ToWire(const state::Failure& failure, v1::Failure* wire) {
  wire->set_reason(failure.reason());
  wire->set_code(failure.code());
  wire->set_message(failure.message());
  wire->set_retryable(failure.retryable());
}

void ToWire(const state::Point& point, v1::Point* wire) {
  wire->set_requested(point.requested());
  wire->set_snapshot(point.snapshot());
  ToWire(absl::FromUnixMicros(point.instant_us()), wire->mutable_instant());
  if (point.requested_us() != 0) {
    ToWire(absl::FromUnixMicros(point.requested_us()), wire->mutable_requested_time());
    ToWire(absl::Microseconds(std::max<int64_t>(0, point.requested_us() - point.instant_us())),
           wire->mutable_gap());
  }
}

void ToWire(const state::Progress& progress, v1::Progress* wire) {
  wire->set_rows_done(progress.rows());
  wire->set_rows_total(progress.total_rows());
  wire->set_bytes_done(progress.bytes());
  wire->set_bytes_total(progress.total_bytes());
  wire->set_total_is_estimate(progress.total_rows() != 0);
  wire->set_step(progress.step());
}

void ToWire(const Progress& progress, v1::Progress* wire) {
  wire->set_rows_done(progress.rows);
  wire->set_rows_total(progress.total_rows);
  wire->set_bytes_done(progress.bytes);
  wire->set_total_is_estimate(progress.total_rows != 0);
  wire->set_step(progress.step);
}

void ToWire(const Sum& sum, v1::Counts* wire) {
  wire->set_rows(sum.rows);
  wire->set_bytes(sum.bytes);
}

void ToWire(const TenantManifest& manifest, v1::Counts* wire) {
  wire->set_rows(manifest.rows());
  wire->set_bytes(manifest.bytes());
}

void ToWire(const std::string& store, const TenantManifest& manifest, v1::TenantRef* wire) {
  wire->set_store(store);
  wire->set_tenant(manifest.tenant.value());
  if (!manifest.labels.empty()) {
    wire->set_label(manifest.labels.front());
  }
}

void ToWire(std::string_view key, v1::RowKey* wire) {
  wire->set_value(std::string(key));
  wire->set_text(PrintableKey(key));
}

std::string ToHex(std::string_view bytes) { return absl::BytesToHexString(Absl(bytes)); }

}  // namespace reinstate

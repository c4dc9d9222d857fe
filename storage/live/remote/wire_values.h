#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "reinstate/v1/catalog.pb.h"
#include "reinstate/v1/live_store_service.pb.h"
#include "storage/live/tenant_session.h"
#include "storage/model/streams.h"
#include "storage/model/tenant_map.h"

// The values of the adapter protocol as ours, and back. What comes from the server is checked:
// INTERNAL ('breaks the adapter protocol') if it is nothing that a server may say. The namespace
// keeps them apart from the conversions of the daemon's own services.

namespace reinstate::live_wire {

absl::StatusOr<TenantMap> FromWire(const v1::Catalog& catalog);
absl::StatusOr<CommitOutcome> FromWire(v1::CommitOutcome outcome);
absl::StatusOr<KeyOwner> FromWire(v1::KeyOwner owner);
// Of an answer about `changes` changes.
absl::StatusOr<Obstacle> FromWire(const v1::SessionObstacle& obstacle, size_t changes);
absl::StatusOr<TenantCount> FromWire(const v1::TenantRowCount& count);

// At most kMaxLabels labels are kept, made fit to be shown.
absl::StatusOr<TenantLabels> FromWire(const v1::TenantLabels& labels);

absl::StatusOr<absl::Time> FromWire(const google::protobuf::Timestamp& time);

// Of a lease: from 1 s to 10 min.
absl::StatusOr<absl::Duration> LeaseFromWire(const google::protobuf::Duration& duration);

v1::ChangeKind ToWire(ChangeKind kind);
void ToWire(absl::Duration duration, google::protobuf::Duration* wire);

}  // namespace reinstate::live_wire

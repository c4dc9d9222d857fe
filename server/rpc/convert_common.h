#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "reinstate/v1/common.pb.h"
#include "storage/history/snapshot_info.h"
#include "storage/model/key_text.h"
#include "storage/model/sum.h"
#include "storage/state/state.pb.h"

// The parts of the wire's messages that several services share, from what is kept on disk or in
// memory. Each fills in a message that is clear.

namespace reinstate {

void ToWire(absl::Time time, google::protobuf::Timestamp* wire);
void ToWire(absl::Duration duration, google::protobuf::Duration* wire);
absl::Time FromWire(const google::protobuf::Timestamp& wire);

// Leaves `*wire` absent for 0, which stands for 'not yet'.
template <typename Message>
void SetTime(int64_t time_us, google::protobuf::Timestamp* (Message::*field)(), Message* wire) {
  if (time_us != 0) {
    ToWire(absl::FromUnixMicros(time_us), (wire->*field)());
  }
}

void ToWire(const state::Actor& actor, v1::Actor* wire);
void ToWire(const state::Failure& failure, v1::Failure* wire);
void ToWire(const state::Point& point, v1::Point* wire);

// Without throughput and ETA, which are no part of the record.
void ToWire(const state::Progress& progress, v1::Progress* wire);
void ToWire(const Progress& progress, v1::Progress* wire);

void ToWire(const Sum& sum, v1::Counts* wire);
void ToWire(const TenantManifest& manifest, v1::Counts* wire);

// `labels` as in a manifest: the name first.
void ToWire(const std::string& store, const TenantManifest& manifest, v1::TenantRef* wire);

void ToWire(std::string_view key, v1::RowKey* wire);

std::string ToHex(std::string_view bytes);

}  // namespace reinstate

#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "reinstate/v1/batch_service.pb.h"
#include "server/jobs/batch_view.h"
#include "storage/state/state.pb.h"

// Batches: from requests to orders, from what is known of them to the wire.

namespace reinstate {

// An order without actor, reason and reference. INVALID_ARGUMENT.
absl::StatusOr<state::BatchOrder> OrderFromWire(const v1::BatchSpec& spec);

// INVALID_ARGUMENT, with the number of the entry.
absl::StatusOr<std::vector<BatchLineOrder>> LinesFromWire(
    const google::protobuf::RepeatedPtrField<v1::BatchLineSpec>& lines);

// How much of a batch to send.
enum class BatchDetail {
  kListed,  // without single lines
  kFull,
};

// Without the stores' addresses and what holds back, which are no part of it.
v1::Batch ToWire(const BatchView& view, BatchDetail detail);

v1::BatchLine ToWire(const BatchLineView& view);

}  // namespace reinstate

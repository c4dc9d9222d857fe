#pragma once

#include <string>

#include "absl/time/time.h"
#include "reinstate/v1/job_service.pb.h"
#include "reinstate/v1/snapshot_service.pb.h"
#include "storage/history/snapshot_info.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// Without tables. `grace` is how long a hidden snapshot can be brought back.
v1::Snapshot ToWire(const SnapshotInfo& snapshot, const std::string& store, absl::Duration grace);

void TablesToWire(const SnapshotInfo& snapshot, v1::Snapshot* wire);

v1::Job ToWire(const state::HistoryJob& job);

}  // namespace reinstate

#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "server/restore/run_control.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// Tells a RunControl how far a run is, in rows and bytes of the tenant. A run goes over the
// tenant's rows several times (planning, applying, verifying); each pass counts for its share, so
// that rows reach the total exactly at the end. Not thread-safe.
class ProgressMeter {
 public:
  // `passes` over about `total_rows` rows of `total_bytes` bytes.
  ProgressMeter(const RunControl* control, int passes, int64_t total_rows, int64_t total_bytes);

  // Begins the next pass, which will go over `rows` rows of `bytes` bytes.
  void BeginPass(state::Phase phase, int64_t rows, int64_t bytes);

  // Counts one row of the pass; now and then reports and asks whether to go on. CANCELLED or
  // SHUTTING_DOWN.
  absl::Status Tick(int64_t bytes);

  // Fixes what the total turned out to be; what has been passed keeps its share.
  void SetTotals(int64_t total_rows, int64_t total_bytes);

 private:
  void Report() const;

  const RunControl* const control_;
  const int passes_;
  int pass_ = -1;
  int64_t total_rows_;
  int64_t total_bytes_;
  int64_t pass_rows_ = 0;
  int64_t pass_bytes_ = 0;
  int64_t rows_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace reinstate

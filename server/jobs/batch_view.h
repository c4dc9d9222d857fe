#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/jobs/batch_board.h"
#include "server/jobs/batch_eta.h"
#include "server/jobs/store_throttle.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// A line of a list, as somebody ordered it.
struct BatchLineOrder {
  int64_t line = 0;  // as the client counts
  std::string input;
  std::string tenant;
  std::string note;
  std::optional<state::Failure> problem;  // the client knows that it cannot be restored
};

// The present state of a line of a batch.
struct BatchLineView {
  struct Target {
    std::string store;
    std::string tenant;
    std::string restore;  // or plan; empty if it was not begun
    int64_t rows_at_point = 0;
    int64_t bytes_at_point = 0;
    BatchBoard::Target seen;
    state::Phase phase = state::PHASE_UNSPECIFIED;  // while it runs
    state::Progress progress;
  };

  state::BatchLine record;
  BatchLineState state = BatchLineState::kQueued;
  bool waits_for_look = false;  // WaitsForLook
  std::vector<Target> targets;
};

// The present state of a batch.
struct BatchView {
  state::BatchRecord record;
  std::vector<int64_t> counts = std::vector<int64_t>(kBatchLineStates);  // lines by BatchLineState
  state::Progress progress;  // by the manifests: of all lines, and of what has ended or runs
  // Of a dry run that is PLANNED: how long its restores would take.
  BatchEta::Estimate eta;
  std::string eta_basis;  // what it goes by, unless the batch's own restores say it alone
  std::map<std::string, StoreThrottle::Size> before_the_last;  // BatchBoard::BeforeTheLast
  double rows_per_second = 0;  // of the recent time; 0 unless it runs
  double bytes_per_second = 0;
  RowCounts rows;                           // of what has succeeded
  std::map<std::string, int64_t> absences;  // BatchBoard::absences
  int64_t started_us = 0;
  std::vector<BatchLineView> running;   // the largest first
  std::vector<BatchLineView> failures;  // the newest first
  std::vector<BatchLineView> largest;   // of a dry run
  std::vector<BatchLineView> invalid;   // of one that is only checked
  std::string waiting;  // what waits for others of the batch and why, as a sentence; may be empty
};

// Tells whether a batch has changed: its state, and the revision of its record, which grows.
struct BatchStamp {
  state::BatchState state = state::BATCH_STATE_UNSPECIFIED;
  int64_t revision = 0;
};

// Which lines to list; an empty field matches all.
struct BatchLineFilter {
  std::vector<BatchLineState> states;
  std::string tenant;  // an id, an input, or a label in any case
};

}  // namespace reinstate

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cli/console.h"
#include "reinstate/v1/batch_service.pb.h"

namespace reinstate {

// A batch as lines of at most `width` columns, at most `height` of them: its state, a bar with ETA,
// customers and rows done with the rate, counts by state, why it waits or holds back, what runs
// now, and the last failures. Where there is little room, less of the last two is shown. Pure.
std::vector<std::string> RenderBatchView(const v1::Batch& batch, int width, int height,
                                         bool unicode);

// The same for a log, in one line. Pure.
std::string RenderBatchLine(const v1::Batch& batch);

// Shows a batch on stderr while it goes on: redrawn in place where that is a terminal, else a line
// every few seconds, none for what is done sooner, and one at once when it begins to wait for a
// person or to be held back. Not thread-safe. Borrows the console.
class BatchLiveView {
 public:
  explicit BatchLiveView(
      const Console* console, std::function<absl::Time()> now = [] { return absl::Now(); });
  // Clears what is redrawn.
  ~BatchLiveView();
  BatchLiveView(const BatchLiveView&) = delete;
  BatchLiveView& operator=(const BatchLiveView&) = delete;

  void Show(const v1::Batch& batch);

  // Writes a line that stays, above the rest.
  void Say(const std::string& line);

 private:
  void Clear();

  const Console* const console_;
  const std::function<absl::Time()> now_;
  absl::Time next_;
  v1::BatchState shown_state_ = v1::BATCH_STATE_UNSPECIFIED;
  bool shown_held_back_ = false;
  std::vector<int> drawn_widths_;  // of the lines that are redrawn, in columns
};

}  // namespace reinstate

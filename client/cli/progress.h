#pragma once

#include <functional>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cli/console.h"
#include "reinstate/v1/common.pb.h"

namespace reinstate {

// What is shown of work that goes on.
struct ProgressView {
  std::string what;   // e.g. the tenant
  std::string state;  // e.g. "applying"; or why nothing moves
  v1::Progress progress;
  bool moving = true;  // false: queued, or the daemon does not answer
};

// What is to be said of the progress besides the bar; empty where nothing is known.
struct ProgressParts {
  std::string percent;  // "48 %"
  std::string rows;     // "1,200/2,500 rows"
  std::string rate;     // "610 rows/s"
  std::string eta;      // "ETA 2-3 s"
};

ProgressParts PartsOf(const ProgressView& view);

// "[####----]", with `columns` between the brackets; nothing if no total is known.
std::string RenderBar(const v1::Progress& progress, int columns, bool unicode);

// A line of at most `width` columns, e.g.
// "1001  applying  [####----]  48 %  1,200/2,500 rows  610 rows/s  ETA 2-3 s". Where the terminal
// is narrow the least important parts are left out: the rate, then the rows, the bar, the ETA.
// Pure.
std::string RenderProgressBar(const ProgressView& view, int width, bool unicode);

// The same for a log, without the bar. Pure.
std::string RenderProgressLine(const ProgressView& view);

// Shows the progress of one piece of work on stderr: a bar that is redrawn in place where that is a
// terminal, else a line every few seconds, and none at all for what is done sooner. Not
// thread-safe. Borrows the console.
class ProgressReporter {
 public:
  explicit ProgressReporter(
      const Console* console, std::function<absl::Time()> now = [] { return absl::Now(); });
  // Clears the bar.
  ~ProgressReporter();
  ProgressReporter(const ProgressReporter&) = delete;
  ProgressReporter& operator=(const ProgressReporter&) = delete;

  void Show(const ProgressView& view);

  // Writes a line that stays, above the bar.
  void Say(const std::string& line);

 private:
  void ClearBar();

  const Console* const console_;
  const std::function<absl::Time()> now_;
  absl::Time next_;
  std::string shown_state_;
  bool bar_shown_ = false;
};

}  // namespace reinstate

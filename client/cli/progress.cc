#include "client/cli/progress.h"

#include <algorithm>
#include <ostream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/cli/display_text.h"
#include "client/cli/humanize.h"

namespace reinstate {
namespace {

constexpr absl::Duration kRedraw = absl::Milliseconds(100);
constexpr absl::Duration kLines = absl::Seconds(3);
constexpr int kBarColumns = 24;
constexpr int kNarrowestBar = 8;

double FractionOf(const v1::Progress& progress) {
  if (progress.rows_total() > 0) {
    return std::clamp(
        static_cast<double>(progress.rows_done()) / static_cast<double>(progress.rows_total()), 0.0,
        1.0);
  }
  return 0;
}

std::string Bar(double fraction, int columns, bool unicode) {
  const int filled = static_cast<int>(fraction * columns);
  std::string bar = "[";
  for (int i = 0; i < columns; ++i) {
    bar += i < filled ? (unicode ? "█" : "#") : (unicode ? "░" : "-");
  }
  return bar + "]";
}

std::string RowsText(const v1::Progress& progress) {
  if (progress.rows_total() == 0) {
    return absl::StrCat(HumanCount(progress.rows_done()), " rows");
  }
  return absl::StrCat(HumanCount(progress.rows_done()), " of ",
                      progress.total_is_estimate() ? "about " : "",
                      HumanCount(std::max(progress.rows_total(), progress.rows_done())), " rows");
}

std::string EtaText(const v1::Progress& progress) {
  const std::string low =
      HumanDuration(absl::Ceil(ToDuration(progress.eta_low()), absl::Seconds(1)));
  const std::string high =
      HumanDuration(absl::Ceil(ToDuration(progress.eta_high()), absl::Seconds(1)));
  return low == high ? absl::StrCat("ETA ", low) : absl::StrCat("ETA ", low, " to ", high);
}

// What is to be said besides the bar, the most important first.
std::vector<std::string> PartsOf(const ProgressView& view) {
  std::vector<std::string> parts;
  const v1::Progress& progress = view.progress;
  if (progress.rows_total() > 0) {
    parts.push_back(absl::StrCat(static_cast<int>(FractionOf(progress) * 100), " %"));
  }
  if (progress.rows_done() > 0 || progress.rows_total() > 0) {
    parts.push_back(RowsText(progress));
  }
  if (view.moving && progress.rows_per_second() >= 1) {
    parts.push_back(
        absl::StrCat(HumanCount(static_cast<int64_t>(progress.rows_per_second())), " rows/s"));
  }
  if (view.moving && progress.has_eta_high()) {
    parts.push_back(EtaText(progress));
  }
  return parts;
}

std::string Head(const ProgressView& view) {
  return view.state.empty() ? Printable(view.what)
                            : absl::StrCat(Printable(view.what), "  ", Printable(view.state));
}

}  // namespace

std::string RenderProgressBar(const ProgressView& view, int width, bool unicode) {
  std::string line = CutToWidth(Head(view), std::max(width, 1));
  std::string tail;
  for (const std::string& part : PartsOf(view)) {
    if (DisplayWidth(line) + DisplayWidth(tail) + 2 + DisplayWidth(part) > width) {
      break;
    }
    absl::StrAppend(&tail, "  ", part);
  }
  if (view.progress.rows_total() > 0) {
    // Two spaces and two brackets.
    const int room = width - DisplayWidth(line) - DisplayWidth(tail) - 4;
    if (room >= kNarrowestBar) {
      absl::StrAppend(&line, "  ",
                      Bar(FractionOf(view.progress), std::min(room, kBarColumns), unicode));
    }
  }
  return line + tail;
}

std::string RenderProgressLine(const ProgressView& view) {
  const std::vector<std::string> parts = PartsOf(view);
  return parts.empty() ? Head(view) : absl::StrCat(Head(view), ": ", absl::StrJoin(parts, ", "));
}

ProgressReporter::ProgressReporter(const Console* console)
    : console_(console),
      next_(console->err_is_terminal ? absl::InfinitePast() : absl::Now() + kLines) {}

ProgressReporter::~ProgressReporter() { ClearBar(); }

void ProgressReporter::Show(const ProgressView& view) {
  const absl::Time now = absl::Now();
  if (now < next_) {
    return;
  }
  if (!console_->err_is_terminal) {
    next_ = now + kLines;
    console_->Say(RenderProgressLine(view));
    return;
  }
  next_ = now + kRedraw;
  // One column less than the terminal has: writing into the last one would wrap.
  *console_->err << "\r\x1b[K" << RenderProgressBar(view, console_->width() - 1, console_->unicode)
                 << std::flush;
  bar_shown_ = true;
}

void ProgressReporter::Say(const std::string& line) {
  ClearBar();
  console_->Say(line);
}

void ProgressReporter::ClearBar() {
  if (bar_shown_) {
    *console_->err << "\r\x1b[K" << std::flush;
    bar_shown_ = false;
  }
}

}  // namespace reinstate

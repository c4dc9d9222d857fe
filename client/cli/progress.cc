#include "client/cli/progress.h"

#include <algorithm>
#include <ostream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/display_text.h"
#include "client/cli/humanize.h"

namespace reinstate {
namespace {

constexpr absl::Duration kRedraw = absl::Milliseconds(100);
constexpr absl::Duration kLines = absl::Seconds(3);
constexpr int kGap = 2;
constexpr int kWidestBar = 24;
constexpr int kNarrowestBar = 6;

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
  std::string text = HumanCount(progress.rows_done());
  if (progress.rows_total() > 0) {
    absl::StrAppend(&text, "/", progress.total_is_estimate() ? "~" : "",
                    HumanCount(std::max(progress.rows_total(), progress.rows_done())));
  }
  return absl::StrCat(text, " rows");
}

// "ETA 5 s", "ETA 5-8 s", "ETA 50 s to 2 min", "ETA at least 50 s".
std::string EtaText(const v1::Progress& progress) {
  const absl::Duration second = absl::Seconds(1);
  const absl::Duration low = absl::Ceil(ToDuration(progress.eta_low()), second);
  if (!progress.has_eta_high()) {
    return absl::StrCat("ETA at least ", HumanDuration(low));
  }
  const absl::Duration high = absl::Ceil(ToDuration(progress.eta_high()), second);
  if (low == high) {
    return absl::StrCat("ETA ", HumanDuration(high));
  }
  if (high < absl::Minutes(1)) {
    return absl::StrCat("ETA ", low / second, "-", HumanDuration(high));
  }
  return absl::StrCat("ETA ", HumanDuration(low), " to ", HumanDuration(high));
}

std::string Head(const ProgressView& view) {
  return view.state.empty() ? Printable(view.what)
                            : absl::StrCat(Printable(view.what), "  ", Printable(view.state));
}

}  // namespace

ProgressParts PartsOf(const ProgressView& view) {
  ProgressParts parts;
  const v1::Progress& progress = view.progress;
  if (progress.rows_total() > 0) {
    parts.percent = absl::StrCat(static_cast<int>(FractionOf(progress) * 100), " %");
  }
  if (progress.rows_done() > 0 || progress.rows_total() > 0) {
    parts.rows = RowsText(progress);
  }
  if (view.moving && progress.rows_per_second() >= 1) {
    parts.rate =
        absl::StrCat(HumanCount(static_cast<int64_t>(progress.rows_per_second())), " rows/s");
  }
  if (view.moving && progress.has_eta_low()) {
    parts.eta = EtaText(progress);
  }
  return parts;
}

std::string RenderBar(const v1::Progress& progress, int columns, bool unicode) {
  return progress.rows_total() > 0 ? Bar(FractionOf(progress), columns, unicode) : "";
}

std::string RenderProgressBar(const ProgressView& view, int width, bool unicode) {
  std::string line = CutToWidth(Head(view), std::max(width, 1));
  ProgressParts parts = PartsOf(view);
  int room = width - DisplayWidth(line);
  // Takes room for a part, or leaves the part out.
  const auto keep = [&room](std::string* part) {
    const int columns = kGap + DisplayWidth(*part);
    if (part->empty() || columns > room) {
      part->clear();
    } else {
      room -= columns;
    }
  };
  keep(&parts.percent);
  keep(&parts.eta);
  const int bar_frame = kGap + 2;  // and two brackets
  const bool has_bar = view.progress.rows_total() > 0 && room >= bar_frame + kNarrowestBar;
  room -= has_bar ? bar_frame + kNarrowestBar : 0;
  keep(&parts.rows);
  keep(&parts.rate);
  std::string bar;
  if (has_bar) {
    bar = Bar(FractionOf(view.progress), std::min(kNarrowestBar + room, kWidestBar), unicode);
  }
  for (const std::string& part : {bar, parts.percent, parts.rows, parts.rate, parts.eta}) {
    if (!part.empty()) {
      absl::StrAppend(&line, std::string(kGap, ' '), part);
    }
  }
  return line;
}

std::string RenderProgressLine(const ProgressView& view) {
  const ProgressParts parts = PartsOf(view);
  std::vector<std::string> known;
  for (const std::string& part : {parts.percent, parts.rows, parts.rate, parts.eta}) {
    if (!part.empty()) {
      known.push_back(part);
    }
  }
  return known.empty() ? Head(view) : absl::StrCat(Head(view), ": ", absl::StrJoin(known, ", "));
}

ProgressReporter::ProgressReporter(const Console* console, std::function<absl::Time()> now)
    : console_(console),
      now_(std::move(now)),
      next_(console->err_is_terminal ? absl::InfinitePast() : now_() + kLines) {}

ProgressReporter::~ProgressReporter() { ClearBar(); }

void ProgressReporter::Show(const ProgressView& view) {
  const absl::Time now = now_();
  // On a terminal a new state is shown at once: there may be no further news for long.
  const bool new_state = console_->err_is_terminal && view.state != shown_state_;
  if (now < next_ && !new_state) {
    return;
  }
  shown_state_ = view.state;
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

#include "client/cli/batch_live_view.h"

#include <algorithm>
#include <ostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/batch_views.h"
#include "client/cli/display_text.h"
#include "client/cli/progress.h"
#include "client/cli/words.h"

namespace reinstate {
namespace {

constexpr absl::Duration kRedraw = absl::Milliseconds(100);
constexpr absl::Duration kLines = absl::Seconds(3);
constexpr int kWidestBar = 40;
constexpr int kBrackets = 2;
constexpr int kGap = 2;

bool Moves(const v1::Batch& batch) {
  return batch.state() == v1::BATCH_STATE_RUNNING || batch.state() == v1::BATCH_STATE_PLANNING;
}

ProgressParts BatchParts(const v1::Batch& batch) {
  if (IsFinal(batch)) {
    return {};  // that all was worked off says nothing of what became of it
  }
  return PartsOf({.what = "", .state = "", .progress = batch.progress(), .moving = Moves(batch)});
}

// What is not empty, with `separator` between.
std::string JoinKnown(const std::vector<std::string>& parts, const char* separator) {
  std::string text;
  for (const std::string& part : parts) {
    absl::StrAppend(&text, text.empty() || part.empty() ? "" : separator, part);
  }
  return text;
}

// "[####----]  48 %  ETA 2 min"; without the bar where there is no room.
std::string BarLine(const v1::Batch& batch, int width, bool unicode) {
  const ProgressParts parts = BatchParts(batch);
  const std::string rest = JoinKnown({parts.percent, parts.eta}, "  ");
  const int columns = std::min(kWidestBar, width - kBrackets - kGap - DisplayWidth(rest));
  return JoinKnown({columns > 0 ? RenderBar(batch.progress(), columns, unicode) : "", rest}, "  ");
}

// What a person must know besides numbers.
std::vector<std::string> Remarks(const v1::Batch& batch) {
  std::vector<std::string> remarks;
  if (!batch.state_message().empty()) {
    remarks.push_back(Printable(batch.state_message()));
  }
  if (const std::string command = GoOnCommand(batch); !command.empty()) {
    remarks.push_back(absl::StrCat("To go on: ", command));
  }
  for (const std::string& reason : batch.holding_back()) {
    remarks.push_back(absl::StrCat("Holding back: ", Printable(reason)));
  }
  return remarks;
}

// The lines below a heading, at most `room` of them with it; nothing if not even one fits.
void AppendSection(const std::string& heading, const std::vector<std::string>& lines, int room,
                   std::vector<std::string>* view) {
  if (lines.empty() || room < 2) {
    return;
  }
  view->push_back(heading);
  const size_t shown = std::min(lines.size(), static_cast<size_t>(room) - 1);
  view->insert(view->end(), lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(shown));
}

std::vector<std::string> RunningLines(const v1::Batch& batch) {
  std::vector<std::string> lines;
  for (const v1::BatchLine& line : batch.running()) {
    lines.push_back(absl::StrCat("  ", DoingText(line), "  ", NameOf(line)));
  }
  return lines;
}

std::vector<std::string> FailureLines(const v1::Batch& batch) {
  std::vector<std::string> lines;
  for (const v1::BatchLine& line : batch.failures()) {
    lines.push_back(absl::StrCat("  ", NameOf(line), "  ", ProblemText(line)));
  }
  return lines;
}

bool WaitsForAPerson(v1::BatchState state) {
  return state == v1::BATCH_STATE_PENDING_APPROVAL ||
         state == v1::BATCH_STATE_WAITING_FOR_CONSENT || state == v1::BATCH_STATE_PAUSED;
}

}  // namespace

std::vector<std::string> RenderBatchView(const v1::Batch& batch, int width, int height,
                                         bool unicode) {
  width = std::max(width, 1);
  const ProgressParts parts = BatchParts(batch);
  std::vector<std::string> view = {
      absl::StrCat("Batch ", Printable(batch.id()), "  ", WordFor(batch.state())),
      BarLine(batch, width, unicode),
      JoinKnown({CustomersText(batch), parts.rows, parts.rate}, ", "), RestText(batch.lines())};
  for (std::string& remark : Remarks(batch)) {
    view.push_back(std::move(remark));
  }
  std::erase(view, "");
  const int room = std::max(height - static_cast<int>(view.size()), 0);
  const std::vector<std::string> running = RunningLines(batch);
  const std::vector<std::string> failures = FailureLines(batch);
  // Failures stay for long and are listed at the end: they get a half at most.
  const int for_failures = failures.empty() ? 0
                                            : std::min(static_cast<int>(failures.size()) + 1,
                                                       running.empty() ? room : room / 2);
  AppendSection("Now:", running, room - for_failures, &view);
  AppendSection("Failed last:", failures, for_failures, &view);
  view.resize(std::min(view.size(), static_cast<size_t>(std::max(height, 1))));
  for (std::string& line : view) {
    line = CutToWidth(line, width);
  }
  return view;
}

std::string RenderBatchLine(const v1::Batch& batch) {
  const ProgressParts parts = BatchParts(batch);
  const std::string known = JoinKnown({CustomersText(batch), RestText(batch.lines()), parts.percent,
                                       parts.rows, parts.rate, parts.eta},
                                      ", ");
  return absl::StrCat(
      absl::StrCat("Batch ", Printable(batch.id()), "  ", WordFor(batch.state())), ": ", known, ".",
      absl::StrJoin(Remarks(batch), "",
                    [](std::string* out, const std::string& r) { absl::StrAppend(out, " ", r); }));
}

BatchLiveView::BatchLiveView(const Console* console, std::function<absl::Time()> now)
    : console_(console),
      now_(std::move(now)),
      next_(console->err_is_terminal ? absl::InfinitePast() : now_() + kLines) {}

BatchLiveView::~BatchLiveView() { Clear(); }

void BatchLiveView::Show(const v1::Batch& batch) {
  const absl::Time now = now_();
  const bool new_state = batch.state() != shown_state_ &&
                         (console_->err_is_terminal || WaitsForAPerson(batch.state()));
  // Nothing may follow for as long as it is held back.
  const bool held_back = !batch.holding_back().empty();
  if (now < next_ && !new_state && (shown_held_back_ || !held_back)) {
    return;
  }
  shown_state_ = batch.state();
  shown_held_back_ = held_back;
  if (!console_->err_is_terminal) {
    next_ = now + kLines;
    console_->Say(RenderBatchLine(batch));
    return;
  }
  next_ = now + kRedraw;
  // Less than the terminal has: writing into the last column and line would scroll, also the ^C
  // that it shows behind the view when somebody interrupts.
  const std::vector<std::string> view =
      RenderBatchView(batch, console_->width() - 3, console_->height() - 1, console_->unicode);
  Clear();
  *console_->err << absl::StrJoin(view, "\n") << std::flush;
  for (const std::string& line : view) {
    drawn_widths_.push_back(DisplayWidth(line));
  }
}

void BatchLiveView::Say(const std::string& line) {
  Clear();
  console_->Say(line);
}

// A terminal that has become narrower meanwhile shows a line in several rows.
void BatchLiveView::Clear() {
  const int width = std::max(console_->width(), 1);
  int rows = 0;
  for (const int drawn : drawn_widths_) {
    rows += std::max(1, (drawn + width - 1) / width);
  }
  if (rows > 1) {
    *console_->err << "\x1b[" << rows - 1 << "A";
  }
  if (rows > 0) {
    *console_->err << "\r\x1b[J" << std::flush;
  }
  drawn_widths_.clear();
}

}  // namespace reinstate

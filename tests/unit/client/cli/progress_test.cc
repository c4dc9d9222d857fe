#include "client/cli/progress.h"

#include <sstream>
#include <string>

#include "absl/strings/str_split.h"
#include "client/cli/display_text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reinstate {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ProgressView HalfWay() {
  ProgressView view{.what = "Restoring 1001", .state = "applying", .progress = {}};
  view.progress.set_rows_done(1'200);
  view.progress.set_rows_total(2'500);
  view.progress.set_rows_per_second(610.4);
  view.progress.mutable_eta_low()->set_seconds(2);
  view.progress.mutable_eta_high()->set_seconds(3);
  return view;
}

TEST(ProgressBar, ShowsRowsRateAndEta) {
  EXPECT_EQ(RenderProgressBar(HalfWay(), 120, /*unicode=*/false),
            "Restoring 1001  applying  [###########-------------]  48 %  1,200/2,500 rows  "
            "610 rows/s  ETA 2-3 s");
}

TEST(ProgressBar, NeverIsWiderThanTheTerminal) {
  for (int width = 1; width <= 130; ++width) {
    for (const bool unicode : {false, true}) {
      EXPECT_LE(DisplayWidth(RenderProgressBar(HalfWay(), width, unicode)), width) << width;
    }
  }
}

TEST(ProgressBar, LeavesOutTheLeastImportantFirst) {
  EXPECT_EQ(RenderProgressBar(HalfWay(), 80, /*unicode=*/false),
            "Restoring 1001  applying  [########---------]  48 %  1,200/2,500 rows  ETA 2-3 s");
  EXPECT_EQ(RenderProgressBar(HalfWay(), 60, /*unicode=*/false),
            "Restoring 1001  applying  [#######--------]  48 %  ETA 2-3 s");
  EXPECT_EQ(RenderProgressBar(HalfWay(), 45, /*unicode=*/false),
            "Restoring 1001  applying  48 %  ETA 2-3 s");
  EXPECT_EQ(RenderProgressBar(HalfWay(), 32, /*unicode=*/false), "Restoring 1001  applying  48 %");
}

TEST(ProgressBar, SaysTheEtaAsARange) {
  ProgressView view = HalfWay();
  view.progress.mutable_eta_low()->set_seconds(50);
  view.progress.mutable_eta_high()->set_seconds(120);
  EXPECT_THAT(RenderProgressBar(view, 120, false), HasSubstr("ETA 50 s to 2 min"));
  view.progress.mutable_eta_low()->set_seconds(120);
  EXPECT_THAT(RenderProgressBar(view, 120, false), testing::EndsWith("ETA 2 min"));
  view.progress.clear_eta_high();
  EXPECT_THAT(RenderProgressBar(view, 120, false), testing::EndsWith("ETA at least 2 min"));
}

TEST(ProgressBar, HasNoBarWhileNothingIsKnown) {
  EXPECT_EQ(RenderProgressBar({.what = "Restoring 1001", .state = "queued", .progress = {}}, 80,
                              /*unicode=*/true),
            "Restoring 1001  queued");
}

TEST(ProgressBar, IsFullButNotOverfullWhereTheTotalWasTooLow) {
  ProgressView view = HalfWay();
  view.progress.set_rows_done(3'000);
  view.progress.set_total_is_estimate(true);
  const std::string bar = RenderProgressBar(view, 120, /*unicode=*/false);
  EXPECT_THAT(bar, HasSubstr("[########################]  100 %  3,000/~3,000 rows"));
}

TEST(ProgressBar, ShowsNoRateOfWhatDoesNotMove) {
  ProgressView view = HalfWay();
  view.moving = false;
  EXPECT_THAT(RenderProgressBar(view, 120, false), Not(HasSubstr("rows/s")));
}

TEST(ProgressBar, EscapesTheNamesOfTenants) {
  ProgressView view = HalfWay();
  view.what = "Restoring \x1b[2J";
  EXPECT_THAT(RenderProgressBar(view, 120, false), HasSubstr("\\x1b[2J"));
}

TEST(ProgressLine, SaysTheSameWithoutABar) {
  EXPECT_EQ(RenderProgressLine(HalfWay()),
            "Restoring 1001  applying: 48 %, 1,200/2,500 rows, 610 rows/s, ETA 2-3 s");
}

TEST(ProgressReporter, RedrawsInPlaceOnATerminalAndCleansUp) {
  std::ostringstream err;
  Console console;
  console.err = &err;
  console.err_is_terminal = true;
  {
    ProgressReporter reporter(&console);
    reporter.Show(HalfWay());
    reporter.Say("The daemon answers again.");
  }
  EXPECT_EQ(err.str(), "\r\x1b[K" + RenderProgressBar(HalfWay(), 79, false) +
                           "\r\x1b[KThe daemon answers again.\n");
}

TEST(ProgressReporter, ShowsANewStateAtOnceAndNumbersWhenItIsTime) {
  std::ostringstream err;
  Console console;
  console.err = &err;
  console.err_is_terminal = true;
  ProgressReporter reporter(&console, [] { return absl::UnixEpoch(); });
  ProgressView view = HalfWay();
  reporter.Show(view);
  view.progress.set_rows_done(1'201);
  reporter.Show(view);
  view.state = "verifying";
  reporter.Show(view);
  const std::string shown = err.str();
  const size_t new_state = shown.find("verifying");
  ASSERT_NE(new_state, std::string::npos);
  EXPECT_THAT(shown.substr(0, new_state), Not(HasSubstr("1,201")));
  EXPECT_THAT(shown.substr(new_state), HasSubstr("1,201"));
}

TEST(ProgressReporter, SaysNothingOfWhatIsDoneSoonWhereThereIsNoTerminal) {
  std::ostringstream err;
  Console console;
  console.err = &err;
  {
    ProgressReporter reporter(&console, [] { return absl::UnixEpoch(); });
    for (int i = 0; i < 1'000; ++i) {
      reporter.Show(HalfWay());
    }
  }
  EXPECT_EQ(err.str(), "");
}

}  // namespace
}  // namespace reinstate

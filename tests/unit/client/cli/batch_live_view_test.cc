#include "client/cli/batch_live_view.h"

#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "client/cli/display_text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

v1::BatchLine Running(const std::string& id, const std::string& label) {
  v1::BatchLine line;
  line.mutable_tenant()->set_tenant(id);
  line.mutable_tenant()->set_label(label);
  line.set_state(v1::BATCH_LINE_STATE_RUNNING);
  v1::BatchLineRestore* restore = line.add_restores();
  restore->set_store("main");
  restore->set_state(v1::RESTORE_STATE_RUNNING);
  restore->set_phase(v1::RESTORE_PHASE_APPLYING);
  restore->mutable_progress()->set_rows_done(48);
  restore->mutable_progress()->set_rows_total(100);
  return line;
}

v1::Batch HalfWay() {
  v1::Batch batch;
  batch.set_id("bat-1");
  batch.set_state(v1::BATCH_STATE_RUNNING);
  v1::BatchCounts* lines = batch.mutable_lines();
  lines->set_total(883);
  lines->set_succeeded(412);
  lines->set_running(8);
  lines->set_queued(458);
  lines->set_failed(3);
  lines->set_not_restored(2);
  v1::Progress* progress = batch.mutable_progress();
  progress->set_rows_done(1'200);
  progress->set_rows_total(2'500);
  progress->set_rows_per_second(610.4);
  progress->mutable_eta_low()->set_seconds(50);
  progress->mutable_eta_high()->set_seconds(120);
  batch.add_holding_back("The replicas lag by 12 s.");
  *batch.add_running() = Running("1001", "Acme Corp");
  *batch.add_running() = Running("1002", "Zeta");
  v1::BatchLine* failed = batch.add_failures();
  failed->mutable_tenant()->set_tenant("1003");
  failed->mutable_problem()->set_reason("TENANT_BUSY");
  failed->mutable_problem()->set_message("Its rows change too fast.");
  return batch;
}

TEST(BatchView, ShowsCountsRateEtaWhatRunsAndWhatFailed) {
  EXPECT_THAT(RenderBatchView(HalfWay(), 80, 24, /*unicode=*/false),
              ElementsAre("Batch bat-1  running",
                          "[###################---------------------]  48 %  ETA 50 s to 2 min",
                          "412 of 883 customers restored, 1,200/2,500 rows, 610 rows/s",
                          "8 running, 458 queued, 3 failed, 2 left out",
                          "Holding back: The replicas lag by 12 s.", "Now:",
                          "  applying 48 %  1001 \"Acme Corp\"", "  applying 48 %  1002 \"Zeta\"",
                          "Failed last:", "  1003  TENANT_BUSY: Its rows change too fast."));
}

TEST(BatchView, IsNeverWiderOrHigherThanTheTerminal) {
  v1::Batch batch = HalfWay();
  for (int i = 0; i < 14; ++i) {
    *batch.add_running() = Running("1002", "東京株式会社");
    *batch.add_failures() = batch.failures(0);
  }
  for (int width = 1; width <= 130; width += 3) {
    for (int height = 1; height <= 40; height += 3) {
      for (const bool unicode : {false, true}) {
        const auto view = RenderBatchView(batch, width, height, unicode);
        EXPECT_LE(view.size(), height);
        EXPECT_THAT(view, Not(Contains("")));
        for (const std::string& line : view) {
          EXPECT_LE(DisplayWidth(line), width) << line;
        }
      }
    }
  }
}

TEST(BatchView, LeavesOutWhatRunsBeforeCountsAndReasons) {
  const auto view = RenderBatchView(HalfWay(), 80, 5, /*unicode=*/false);
  EXPECT_THAT(view, Contains("8 running, 458 queued, 3 failed, 2 left out"));
  EXPECT_THAT(view, Contains("Holding back: The replicas lag by 12 s."));
  EXPECT_THAT(view, Not(Contains("Now:")));
}

TEST(BatchView, DrawsItsBarInUnicodeWhereTheTerminalShowsIt) {
  EXPECT_THAT(RenderBatchView(HalfWay(), 80, 24, /*unicode=*/true)[1], HasSubstr("█░"));
  EXPECT_THAT(absl::StrJoin(RenderBatchView(HalfWay(), 80, 24, /*unicode=*/false), ""),
              AllOf(Not(HasSubstr("█")), Not(HasSubstr("░"))));
}

TEST(BatchView, SaysHowToGoOnWhereItWaitsForAPerson) {
  v1::Batch batch = HalfWay();
  batch.set_state(v1::BATCH_STATE_WAITING_FOR_CONSENT);
  batch.set_state_message("3 of its tenants still lose rows.");
  const auto view = RenderBatchView(batch, 80, 24, false);
  EXPECT_THAT(view, Contains("3 of its tenants still lose rows."));
  EXPECT_THAT(view, Contains("To go on: reinstate batch resume bat-1"));
  EXPECT_THAT(view[0], HasSubstr("waiting-for-consent"));
  // What does not move has no rate and no time left.
  EXPECT_THAT(absl::StrJoin(view, "\n"), AllOf(Not(HasSubstr("ETA")), Not(HasSubstr("rows/s"))));
}

TEST(BatchView, NamesTheStoreOfASiteWithSeveral) {
  v1::Batch batch = HalfWay();
  v1::BatchLineRestore* wiki = batch.mutable_running(0)->add_restores();
  wiki->set_store("wiki");
  wiki->set_state(v1::RESTORE_STATE_QUEUED);
  EXPECT_THAT(RenderBatchView(batch, 80, 24, false),
              Contains("  main: applying 48 %  1001 \"Acme Corp\""));
}

TEST(BatchView, NamesTheHookThatRuns) {
  v1::Batch batch = HalfWay();
  v1::BatchLineRestore* restore = batch.mutable_running(0)->mutable_restores(0);
  restore->set_state(v1::RESTORE_STATE_SUCCEEDED);
  restore->mutable_progress()->set_step("after-hook notify-billing, attempt 2 of 3");
  EXPECT_THAT(RenderBatchView(batch, 80, 24, false),
              Contains("  after-hook notify-billing, attempt 2 of 3  1001 \"Acme Corp\""));
  // While the rows are at work they are what it does.
  restore->set_state(v1::RESTORE_STATE_RUNNING);
  EXPECT_THAT(RenderBatchView(batch, 80, 24, false),
              Contains("  applying 48 %  1001 \"Acme Corp\""));
}

TEST(BatchView, EscapesNamesAndMessages) {
  v1::Batch batch = HalfWay();
  batch.mutable_running(0)->mutable_tenant()->set_label("\x1b[2J\n");
  batch.mutable_failures(0)->mutable_problem()->set_message("\x1b[31m");
  batch.set_holding_back(0, "\x07");
  batch.set_state_message("\r");
  const std::string view = absl::StrJoin(RenderBatchView(batch, 80, 24, false), "|");
  for (const char* control : {"\x1b", "\x07", "\r", "\n"}) {
    EXPECT_THAT(view, Not(HasSubstr(control)));
  }
}

TEST(BatchLine, SaysTheSameInOneLine) {
  EXPECT_EQ(RenderBatchLine(HalfWay()),
            "Batch bat-1  running: 412 of 883 customers restored, 8 running, 458 queued, 3 failed, "
            "2 left out, 48 %, 1,200/2,500 rows, 610 rows/s, ETA 50 s to 2 min. Holding back: The "
            "replicas lag by 12 s.");
}

class BatchLiveViewTest : public testing::Test {
 protected:
  BatchLiveViewTest() { console_.err = &err_; }

  absl::Time now_ = absl::FromUnixSeconds(1'000);
  std::ostringstream err_;
  Console console_;
};

TEST_F(BatchLiveViewTest, RedrawsInPlaceOnATerminalAndCleansUp) {
  console_.err_is_terminal = true;
  v1::Batch batch = HalfWay();
  batch.clear_running();
  batch.clear_failures();
  const std::string first = absl::StrJoin(RenderBatchView(batch, 77, 23, false), "\n");
  v1::Batch later = batch;
  later.mutable_lines()->set_succeeded(413);
  const std::string second = absl::StrJoin(RenderBatchView(later, 77, 23, false), "\n");
  {
    BatchLiveView view(&console_, [this] { return now_; });
    view.Show(batch);
    view.Show(later);  // too soon
    now_ += absl::Milliseconds(100);
    view.Show(later);
  }
  EXPECT_EQ(err_.str(), first + "\x1b[4A\r\x1b[J" + second + "\x1b[4A\r\x1b[J");
}

TEST_F(BatchLiveViewTest, ClearsAlsoWhatHasWrappedInATerminalThatBecameNarrower) {
  console_.err_is_terminal = true;
  int width = 80;
  console_.width = [&] { return width; };
  v1::Batch batch = HalfWay();
  batch.clear_running();
  batch.clear_failures();
  BatchLiveView view(&console_, [this] { return now_; });
  view.Show(batch);  // five lines of 20, 65, 59, 43 and 39 columns
  err_.str("");
  width = 40;
  view.Say("The daemon answers again.");
  EXPECT_THAT(err_.str(), StartsWith("\x1b[7A\r\x1b[J"));
}

TEST_F(BatchLiveViewTest, SaysALineEveryFewSecondsElsewhere) {
  BatchLiveView view(&console_, [this] { return now_; });
  v1::Batch batch = HalfWay();
  batch.clear_holding_back();
  view.Show(batch);
  EXPECT_EQ(err_.str(), "");
  now_ += absl::Seconds(3);
  view.Show(batch);
  view.Show(batch);
  EXPECT_EQ(err_.str(), RenderBatchLine(batch) + "\n");
}

TEST_F(BatchLiveViewTest, SaysAtOnceThatItIsHeldBackAndNotAtEachLook) {
  BatchLiveView view(&console_, [this] { return now_; });
  v1::Batch goes_on = HalfWay();
  goes_on.clear_holding_back();
  view.Show(goes_on);
  view.Show(HalfWay());
  view.Show(goes_on);
  view.Show(HalfWay());
  EXPECT_EQ(err_.str(), RenderBatchLine(HalfWay()) + "\n");
}

TEST_F(BatchLiveViewTest, SaysAtOnceThatItWaitsForAPerson) {
  BatchLiveView view(&console_, [this] { return now_; });
  v1::Batch batch = HalfWay();
  batch.set_state(v1::BATCH_STATE_PAUSED);
  view.Show(batch);
  view.Show(batch);
  EXPECT_EQ(err_.str(), RenderBatchLine(batch) + "\n");
  EXPECT_THAT(err_.str(), HasSubstr("To go on: reinstate batch resume bat-1"));
}

TEST_F(BatchLiveViewTest, KeepsWhatIsSaidAboveTheRest) {
  console_.err_is_terminal = true;
  BatchLiveView view(&console_, [this] { return now_; });
  view.Show(HalfWay());
  err_.str("");
  view.Say("The daemon answers again.");
  EXPECT_THAT(err_.str(),
              AllOf(StartsWith("\x1b["), HasSubstr("\r\x1b[JThe daemon answers again.\n")));
}

}  // namespace
}  // namespace reinstate

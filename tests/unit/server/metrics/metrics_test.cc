#include "server/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <memory>
#include <optional>
#include <string>

#include "server/metrics/metrics_server.h"
#include "storage/base/error.h"
#include "tests/support/http_get.h"
#include "tests/support/prometheus_text.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class MetricsTest : public testing::Test {
 protected:
  std::string Page() const {
    return prometheus::TextSerializer().Serialize(metrics_.registry()->Collect());
  }

  PrometheusText Scrape() const {
    const auto text = PrometheusText::Parse(Page());
    EXPECT_THAT(text, IsOk());
    return text.value_or(PrometheusText());
  }

  static state::RestoreRecord Ended(state::JobState state, absl::Duration duration) {
    state::RestoreRecord record;
    record.set_id("rst-1");
    record.set_label("Acme Corp");
    record.mutable_order()->set_store("app");
    record.mutable_order()->set_tenant("acme");
    record.set_state(state);
    record.set_started_us(1'000'000);
    record.set_finished_us(1'000'000 + absl::ToInt64Microseconds(duration));
    record.mutable_plan()->set_rows_to_change(70);
    record.mutable_plan()->set_bytes_to_write(7000);
    return record;
  }

  static state::HookOutcome Hook(const std::string& name, bool succeeded, int attempts) {
    state::HookOutcome outcome;
    outcome.set_name(name);
    outcome.set_succeeded(succeeded);
    outcome.set_attempts(attempts);
    outcome.set_finished_us(1);
    return outcome;
  }

  Metrics metrics_{"1.2.3", {"app", "wiki"}, {"index", "cache"}};
};

TEST_F(MetricsTest, SaysWhichVersionRuns) {
  EXPECT_EQ(Scrape().Find("reinstate_build_info", {{"version", "1.2.3"}}), 1);
}

TEST_F(MetricsTest, CountsRestoresByStoreKindAndState) {
  metrics_.RestoreEnded(Ended(state::SUCCEEDED, absl::Seconds(2)));
  metrics_.RestoreEnded(Ended(state::FAILED, absl::Seconds(40)));
  state::RestoreRecord undo = Ended(state::SUCCEEDED, absl::Seconds(2));
  undo.mutable_order()->set_undo_of("rst-0");
  metrics_.RestoreEnded(undo);

  const PrometheusText text = Scrape();
  const auto ended = [&](const char* kind, const char* state) {
    return text.Find("reinstate_restores_ended_total",
                     {{"store", "app"}, {"kind", kind}, {"state", state}});
  };
  EXPECT_EQ(ended("restore", "succeeded"), 1);
  EXPECT_EQ(ended("restore", "failed"), 1);
  EXPECT_EQ(ended("undo", "succeeded"), 1);
  EXPECT_EQ(text.Find("reinstate_restore_duration_seconds_bucket",
                      {{"store", "app"}, {"kind", "restore"}, {"le", "2.5"}}),
            1);
  EXPECT_EQ(
      text.Find("reinstate_restore_duration_seconds_sum", {{"store", "app"}, {"kind", "restore"}}),
      42);
}

TEST_F(MetricsTest, CountsRowsAndBytesOfThoseThatSucceeded) {
  metrics_.RestoreEnded(Ended(state::SUCCEEDED, absl::Seconds(1)));
  metrics_.RestoreEnded(Ended(state::SUCCEEDED, absl::Seconds(1)));
  metrics_.RestoreEnded(Ended(state::FAILED, absl::Seconds(1)));
  metrics_.RestoreEnded(Ended(state::IN_DOUBT, absl::Seconds(1)));
  const PrometheusText text = Scrape();
  EXPECT_EQ(text.Find("reinstate_restored_rows_total", {{"store", "app"}}), 140);
  EXPECT_EQ(text.Find("reinstate_restored_bytes_total", {{"store", "app"}}), 14000);
}

TEST_F(MetricsTest, ARestoreThatNeverBeganHasNoDuration) {
  state::RestoreRecord record = Ended(state::CANCELLED, absl::ZeroDuration());
  record.clear_started_us();
  metrics_.RestoreEnded(record);
  const PrometheusText text = Scrape();
  EXPECT_EQ(text.Sum("reinstate_restores_ended_total", {{"state", "cancelled"}}), 1);
  EXPECT_EQ(text.Sum("reinstate_restore_duration_seconds_count", {}), 0);
}

TEST_F(MetricsTest, CountsHooksByNameAndOutcomeWithTheirRetriesAndDurations) {
  metrics_.HookRan(Hook("index", true, 1), absl::Seconds(2));
  metrics_.HookRan(Hook("index", true, 2), absl::Seconds(4));
  metrics_.HookRan(Hook("index", false, 3), absl::Seconds(40));
  state::HookOutcome begun;
  begun.set_name("index");
  metrics_.HookRan(begun, absl::Seconds(700));

  const PrometheusText text = Scrape();
  const auto runs = [&](const char* hook, const char* outcome) {
    return text.Find("reinstate_hook_runs_total", {{"hook", hook}, {"outcome", outcome}});
  };
  EXPECT_EQ(runs("index", "succeeded"), 2);
  EXPECT_EQ(runs("index", "failed"), 1);
  EXPECT_EQ(runs("index", "interrupted"), 1);
  EXPECT_EQ(text.Find("reinstate_hook_retries_total", {{"hook", "index"}}), 3);
  EXPECT_EQ(text.Find("reinstate_hook_duration_seconds_sum", {{"hook", "index"}}), 46);
  EXPECT_EQ(text.Find("reinstate_hook_duration_seconds_count", {{"hook", "index"}}), 3);
  for (const char* outcome : {"succeeded", "failed", "interrupted"}) {
    EXPECT_EQ(runs("cache", outcome), 0) << "series of a hook begin at zero";
  }
  EXPECT_EQ(text.Find("reinstate_hook_retries_total", {{"hook", "cache"}}), 0);
}

TEST_F(MetricsTest, CountsHowLongRestoresWaitedByReason) {
  metrics_.RestoresHeldBack("app", "rows_per_second", absl::Milliseconds(1500));
  metrics_.RestoresHeldBack("app", "rows_per_second", absl::Seconds(1));
  metrics_.RestoresHeldBack("app", "wal_growth", absl::Seconds(4));
  metrics_.RestoresHeldBack("app", "made_up_by_an_adapter", absl::Seconds(7));
  const PrometheusText text = Scrape();
  const auto waited = [&](const char* reason) {
    return text.Find("reinstate_throttle_seconds_total", {{"store", "app"}, {"reason", reason}});
  };
  EXPECT_EQ(waited("rows_per_second"), 2.5);
  EXPECT_EQ(waited("wal_growth"), 4);
  EXPECT_EQ(waited("other"), 7);
  EXPECT_EQ(waited("made_up_by_an_adapter"), std::nullopt) << "others name it as they like";
}

TEST_F(MetricsTest, SeriesOfAStoreBeginAtZero) {
  const PrometheusText text = Scrape();
  EXPECT_EQ(text.Find("reinstate_throttle_seconds_total",
                      {{"store", "wiki"}, {"reason", "bytes_per_second"}}),
            0);
  EXPECT_EQ(text.Find("reinstate_restored_rows_total", {{"store", "wiki"}}), 0);
  EXPECT_EQ(text.Find("reinstate_restores_ended_total",
                      {{"store", "wiki"}, {"kind", "restore"}, {"state", "failed"}}),
            0);
  EXPECT_EQ(text.Find("reinstate_history_jobs_ended_total",
                      {{"store", "wiki"}, {"kind", "take_snapshot"}, {"state", "failed"}}),
            0);
}

TEST_F(MetricsTest, CountsJobsOfTheHistory) {
  state::HistoryJob job;
  job.set_kind(state::TAKE_SNAPSHOT);
  job.set_store("app");
  job.set_state(state::SUCCEEDED);
  job.set_started_us(1'000'000);
  job.set_finished_us(61'000'000);
  metrics_.HistoryJobEnded(job);
  const PrometheusText text = Scrape();
  EXPECT_EQ(text.Find("reinstate_history_jobs_ended_total",
                      {{"store", "app"}, {"kind", "take_snapshot"}, {"state", "succeeded"}}),
            1);
  EXPECT_EQ(text.Find("reinstate_history_job_duration_seconds_sum",
                      {{"store", "app"}, {"kind", "take_snapshot"}}),
            60);
}

TEST_F(MetricsTest, CountsCallsByMethodAndCodeAndTimesThemUnlessTheyStream) {
  metrics_.CallEnded({.method = "a.B/C", .code = "OK", .duration = absl::Milliseconds(3)});
  metrics_.CallEnded({.method = "a.B/C", .code = "NOT_FOUND", .duration = absl::Milliseconds(3)});
  metrics_.CallEnded(
      {.method = "a.B/Watch", .code = "OK", .streaming = true, .duration = absl::Hours(3)});
  const PrometheusText text = Scrape();
  EXPECT_EQ(text.Find("reinstate_rpc_handled_total", {{"method", "a.B/C"}, {"code", "OK"}}), 1);
  EXPECT_EQ(text.Find("reinstate_rpc_handled_total", {{"method", "a.B/C"}, {"code", "NOT_FOUND"}}),
            1);
  EXPECT_EQ(text.Find("reinstate_rpc_handled_total", {{"method", "a.B/Watch"}, {"code", "OK"}}), 1);
  EXPECT_EQ(
      text.Find("reinstate_rpc_duration_seconds_bucket", {{"method", "a.B/C"}, {"le", "0.005"}}),
      2);
  EXPECT_EQ(text.Sum("reinstate_rpc_duration_seconds_count", {}), 2);
}

TEST_F(MetricsTest, NeverNamesATenant) {
  metrics_.RestoreEnded(Ended(state::SUCCEEDED, absl::Seconds(1)));
  const std::string page = Page();
  EXPECT_THAT(page, Not(HasSubstr("acme")));
  EXPECT_THAT(page, Not(HasSubstr("Acme")));
  EXPECT_THAT(page, Not(HasSubstr("tenant")));
  EXPECT_THAT(page, Not(HasSubstr("rst-1")));
}

TEST_F(MetricsTest, AreServedAtOnePathAndNothingElseIs) {
  const auto server = MetricsServer::Start("127.0.0.1:0", {metrics_.registry()});
  ASSERT_THAT(server, IsOk());
  const auto answer = HttpGet((*server)->address(), "/metrics");
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->code, 200);
  EXPECT_THAT(answer->content_type, HasSubstr("text/plain"));
  EXPECT_THAT(PrometheusText::Parse(answer->body), IsOk());
  for (const char* path : {"/", "/../../../../etc/passwd", "/etc/passwd"}) {
    const auto other = HttpGet((*server)->address(), path);
    ASSERT_THAT(other, IsOk());
    EXPECT_EQ(other->code / 100, 4) << path;
  }
}

TEST_F(MetricsTest, AnAddressThatIsTakenOrIsNoneIsRefused) {
  const auto first = MetricsServer::Start("127.0.0.1:0", {});
  ASSERT_THAT(first, IsOk());
  for (const std::string& address : {(*first)->address(), std::string("192.0.2.1:1")}) {
    const auto second = MetricsServer::Start(address, {});
    EXPECT_TRUE(HasReason(second.status(), Reason::kUnavailable));
    EXPECT_THAT(std::string(second.status().message()), HasSubstr(address));
  }
}

}  // namespace
}  // namespace reinstate

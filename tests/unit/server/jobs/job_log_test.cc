#include "server/jobs/job_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sstream>
#include <string>

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// What is logged, with its level in front.
class JobLogTest : public testing::Test {
 protected:
  JobLogTest() : before_(spdlog::default_logger()) {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text_);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", std::move(sink)));
    spdlog::set_pattern("%l %v");
  }
  ~JobLogTest() override { spdlog::set_default_logger(before_); }

  std::string Logged(const state::HistoryJob& job) {
    text_.str("");
    LogEnded(job);
    return text_.str();
  }

 private:
  std::ostringstream text_;
  const std::shared_ptr<spdlog::logger> before_;
};

TEST_F(JobLogTest, WarnsOfWhatNeedsALookAndNotOfEveryNote) {
  state::HistoryJob job;
  job.set_id("job-1");
  job.set_kind(state::APPLY_RETENTION);
  job.set_state(state::SUCCEEDED);
  job.add_notes("2 snapshots hidden");
  EXPECT_THAT(Logged(job), AllOf(StartsWith("info "), HasSubstr("2 snapshots hidden")));
  job.set_needs_a_look(true);
  EXPECT_THAT(Logged(job), StartsWith("warning "));
  job.set_state(state::FAILED);
  EXPECT_THAT(Logged(job), StartsWith("error "));
}

}  // namespace
}  // namespace reinstate

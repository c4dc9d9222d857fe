#include "server/jobs/job_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <functional>
#include <memory>
#include <sstream>
#include <string>

#include "storage/base/error.h"

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

  std::string Logged(const std::function<void()>& log) {
    text_.str("");
    log();
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
  const auto log = [&job] { LogEnded(job); };
  EXPECT_THAT(Logged(log), AllOf(StartsWith("info "), HasSubstr("2 snapshots hidden")));
  job.set_needs_a_look(true);
  EXPECT_THAT(Logged(log), StartsWith("warning "));
  job.set_state(state::FAILED);
  EXPECT_THAT(Logged(log), StartsWith("error "));
}

TEST_F(JobLogTest, ComplainsOfWhatTheScheduleCouldNotOrder) {
  state::HistoryJob job;
  job.set_kind(state::TAKE_SNAPSHOT);
  job.set_store("main");
  EXPECT_THAT(Logged([&] { LogNotOrdered(job, MakeError(Reason::kNoSpace, "the disk is full")); }),
              AllOf(StartsWith("error "), HasSubstr("TAKE_SNAPSHOT store=main"),
                    HasSubstr("NO_SPACE: the disk is full")));
}

}  // namespace
}  // namespace reinstate

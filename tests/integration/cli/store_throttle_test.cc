// How fast restores write into a store, as the people on duty set it.

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli/cli_site.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class StoreThrottle : public CliSite {
 protected:
  void SetUp() override {
    StartDaemon();
    LoadAndSnapshot(/*rows=*/20);
  }

  // As protobuf's JSON has it: numbers of 64 bits are texts.
  nlohmann::json Throttle() const { return Json({"store", "throttle"})["throttle"]; }
};

TEST_F(StoreThrottle, OnlyWhatIsGivenChangesAndItHoldsOverARestart) {
  const ProgramResult none = Run({"store", "throttle", "main"});
  EXPECT_EQ(none.exit_code, 0) << none.err;
  EXPECT_THAT(none.out, AllOf(HasSubstr("no limit"), HasSubstr("as configured")));

  const ProgramResult rows = Run({"store", "throttle", "main", "--rows-per-second", "20000",
                                  "--max-running", "2", "--reason", "customers notice, INC-77"});
  EXPECT_EQ(rows.exit_code, 0) << rows.err;
  EXPECT_THAT(rows.out, AllOf(HasSubstr("20,000"), HasSubstr("no limit")));
  const ProgramResult bytes = Run({"store", "throttle", "main", "--bytes-per-second", "8MiB"});
  EXPECT_EQ(bytes.exit_code, 0) << bytes.err;
  EXPECT_THAT(bytes.out, AllOf(HasSubstr("20,000"), HasSubstr("8.0 MiB")));

  StartDaemon();
  EXPECT_EQ(Throttle()["rowsPerSecond"], "20000");
  EXPECT_EQ(Throttle()["bytesPerSecond"], "8388608");
  EXPECT_EQ(Throttle()["maxRunning"], 2);
  EXPECT_THAT(Run({"store", "show", "main"}).out,
              AllOf(HasSubstr("rows per second"), HasSubstr("bytes per second"),
                    HasSubstr("restores at once")));

  EXPECT_EQ(Run({"store", "throttle", "main", "--max-running", "0"}).exit_code, 0);
  EXPECT_EQ(Throttle()["maxRunning"], 0);
  EXPECT_EQ(Throttle()["rowsPerSecond"], "20000");
  EXPECT_EQ(Run({"store", "throttle", "main", "--off"}).exit_code, 0);
  EXPECT_EQ(Throttle()["rowsPerSecond"], "0");
  EXPECT_EQ(Throttle()["bytesPerSecond"], "0");
  EXPECT_THAT(Run({"store", "show", "main"}).out, Not(HasSubstr("per second")));
}

TEST_F(StoreThrottle, WhatHoldsBackIsShownUntilTheThrottleIsTakenOff) {
  DeleteTenant("1001");
  DeleteTenant("1002");
  ASSERT_EQ(Run({"store", "throttle", "main", "--bytes-per-second", "1"}).exit_code, 0);
  ASSERT_EQ(Run({"restore", "create", "1001", "--at", "latest", "--wait"}).exit_code, 0);
  EXPECT_EQ(Issues("1001"), 20U) << "a restore that began is not slowed down";
  EXPECT_THAT(Run({"store", "show", "main"}).out,
              AllOf(HasSubstr("holding back"), HasSubstr("1 bytes a second is used up")));
  const std::string waiting = Json({"restore", "create", "1002", "--at", "latest"})["id"];
  EXPECT_EQ(Json({"restore", "get", waiting})["state"], "RESTORE_STATE_QUEUED");
  EXPECT_EQ(Issues("1002"), 0U);
  const ProgramResult off = Run({"store", "throttle", "main", "--off"});
  EXPECT_EQ(off.exit_code, 0) << off.err;
  EXPECT_THAT(off.out, Not(HasSubstr("holding back")));
  EXPECT_EQ(Run({"restore", "watch", waiting}).exit_code, 0);
  EXPECT_EQ(Issues("1002"), 20U);
}

TEST_F(StoreThrottle, RefusesWhatIsNoLimit) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--rows-per-second", "-1"},
                                                {"--rows-per-second", "many"},
                                                {"--bytes-per-second", "8MB"},
                                                {"--max-running", "1.5"}}) {
    std::vector<std::string> all = {"store", "throttle", "main"};
    all.insert(all.end(), words.begin(), words.end());
    EXPECT_EQ(Run(all).exit_code, 2) << words[0] << " " << words[1];
  }
  EXPECT_EQ(Run({"store", "throttle", "nope", "--off"}).exit_code, 5);
  EXPECT_EQ(Throttle()["rowsPerSecond"], "0");
}

}  // namespace
}  // namespace reinstate

#include "server/jobs/restore_times.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/server/jobs/jobs_fixture.h"

namespace reinstate {
namespace {

using Strings = std::vector<std::string>;

state::RestoreRecord Ended(const std::string& store, int64_t bytes, absl::Duration took,
                           state::JobState state = state::SUCCEEDED) {
  state::RestoreRecord record;
  record.mutable_order()->set_store(store);
  record.mutable_order()->set_tenant("t1");
  record.set_state(state);
  record.set_size_bytes(bytes);
  record.set_started_us(1'000'000);
  record.set_finished_us(1'000'000 + absl::ToInt64Microseconds(took));
  return record;
}

std::vector<int64_t> BytesOf(const RestoreTimes::Earlier& earlier) {
  std::vector<int64_t> bytes;
  for (const BatchEta::Sample& sample : earlier.samples) {
    bytes.push_back(sample.bytes);
  }
  return bytes;
}

class RestoreTimesTest : public JobsFixture {
 protected:
  void Store(int number, state::RestoreRecord record) {
    record.set_id(absl::StrCat("rst-", 100'000 + number));
    ASSERT_THAT(state_->CreateRestore(RequestKey(), record, AuditDraft()), IsOk());
    ASSERT_THAT(state_->RecordOutcome(record, std::nullopt, AuditDraft()), IsOk());
  }

  RestoreTimes times_;
};

TEST_F(RestoreTimesTest, KnowsWhatHasEndedWellByStore) {
  times_.RestoreEnded(Ended("main", 1, absl::Seconds(3)));
  times_.RestoreEnded(Ended("main", 2, absl::Seconds(1), state::FAILED));
  times_.RestoreEnded(Ended("main", 3, absl::Seconds(1), state::CANCELLED));
  times_.RestoreEnded(Ended("wiki", 4, absl::Seconds(1)));
  state::RestoreRecord resolved = Ended("main", 5, absl::Hours(5));
  resolved.set_resolved_by("ada");
  times_.RestoreEnded(resolved);
  const RestoreTimes::Earlier earlier = times_.Of({"main", "identity"}, false, "");
  ASSERT_EQ(BytesOf(earlier), std::vector<int64_t>({1}));
  EXPECT_EQ(earlier.samples[0].took, absl::Seconds(3));
  EXPECT_EQ(earlier.measured, Strings({"main"}));
  EXPECT_EQ(earlier.unmeasured, Strings({"identity"}));
}

TEST_F(RestoreTimesTest, KeepsUndosAndTheBatchThatAsksApart) {
  state::RestoreRecord undo = Ended("main", 1, absl::Seconds(1));
  undo.mutable_order()->set_undo_of("rst-1");
  times_.RestoreEnded(undo);
  state::RestoreRecord own = Ended("main", 2, absl::Seconds(1));
  own.mutable_order()->set_batch("bat-1");
  times_.RestoreEnded(own);
  EXPECT_EQ(BytesOf(times_.Of({"main"}, true, "")), std::vector<int64_t>({1}));
  EXPECT_EQ(BytesOf(times_.Of({"main"}, false, "bat-2")), std::vector<int64_t>({2}));
  EXPECT_TRUE(times_.Of({"main"}, false, "bat-1").samples.empty());
}

TEST_F(RestoreTimesTest, ReadsTheLastOnesOnceAndKeepsSoManyOnly) {
  for (int i = 0; i < 600; ++i) {
    Store(i, Ended("main", i, absl::Seconds(1), i == 599 ? state::FAILED : state::SUCCEEDED));
  }
  ASSERT_THAT(times_.Load(*state_), IsOk());
  std::vector<int64_t> bytes = BytesOf(times_.Of({"main"}, false, ""));
  ASSERT_EQ(bytes.size(), 512U);
  EXPECT_EQ(bytes.front(), 599 - 512);
  EXPECT_EQ(bytes.back(), 598);
  times_.RestoreEnded(Ended("main", 1000, absl::Seconds(1)));
  bytes = BytesOf(times_.Of({"main"}, false, ""));
  ASSERT_EQ(bytes.size(), 512U);
  EXPECT_EQ(bytes.front(), 600 - 512);
  EXPECT_EQ(bytes.back(), 1000);
}

TEST(RestoreTimesText, SaysByWhatAnExpectationGoesAndWhatIsMissing) {
  RestoreTimes::Earlier earlier{
      .samples = std::vector<BatchEta::Sample>(40), .measured = {"main"}, .unmeasured = {}};
  EXPECT_EQ(BasisText(earlier, false), "by the last 40 restores of store main");
  earlier.unmeasured = {"wiki", "identity"};
  EXPECT_EQ(BasisText(earlier, false),
            "by the last 40 restores of store main; no restore of stores wiki and identity has "
            "been measured yet");
  earlier.samples.resize(1);
  earlier.measured = {"main", "wiki"};
  earlier.unmeasured = {};
  EXPECT_EQ(BasisText(earlier, true), "by the last undo of stores main and wiki");
}

}  // namespace
}  // namespace reinstate

#include "server/jobs/shrink_watch.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/server/jobs/jobs_fixture.h"

namespace reinstate {
namespace {

class ShrinkWatchTest : public JobsFixture {
 protected:
  static state::BatchLine Line(const std::string& store, const std::string& tenant) {
    state::BatchLine line;
    line.add_targets()->set_store(store);
    line.mutable_targets(0)->set_tenant(tenant);
    return line;
  }
};

TEST_F(ShrinkWatchTest, CountsTheRowsOfTheTenantsOfTheLinesOnly) {
  site_.Put("acme", "issues", "1", "payload");
  site_.Put("acme", "issues", "2", "payload");
  site_.Put("beta", "issues", "1", "payload");
  const auto rows = CountLiveRows(*registry_, {Line("main", "acme"), Line("main", "gone")});
  ASSERT_THAT(rows, IsOk());
  EXPECT_EQ(*rows, (LiveRows{{"main", {{"acme", 2}}}}));
}

TEST_F(ShrinkWatchTest, SaysWhichStoreThereIsNot) {
  EXPECT_THAT(CountLiveRows(*registry_, {Line("nope", "acme")}), FailsWith(Reason::kStoreNotFound));
}

TEST_F(ShrinkWatchTest, CountsNothingForLinesWithoutStores) {
  const auto rows = CountLiveRows(*registry_, {state::BatchLine()});
  ASSERT_THAT(rows, IsOk());
  EXPECT_TRUE(rows->empty());
}

TEST_F(ShrinkWatchTest, ChoosesTheRowsOfTheTenantsOfTheLines) {
  const LiveRows rows = {{"main", {{"acme", 2}, {"beta", 1}}}, {"wiki", {{"acme", 3}}}};
  EXPECT_EQ(RowsOfLines(rows, {Line("main", "acme"), Line("main", "gone"), Line("nope", "acme")}),
            (LiveRows{{"main", {{"acme", 2}}}}));
}

TEST(ShrunkenSince, NamesWhoHasFewerRowsThanBefore) {
  const LiveRows before = {{"main", {{"fewer", 5}, {"gone", 1}, {"more", 5}, {"same", 5}}},
                           {"wiki", {{"all gone", 2}}}};
  const LiveRows after = {{"main", {{"fewer", 4}, {"more", 6}, {"new", 1}, {"same", 5}}}};
  EXPECT_EQ(ShrunkenSince(before, after), (std::vector<std::string>{"fewer", "gone", "all gone"}));
  EXPECT_TRUE(ShrunkenSince({}, after).empty());
}

}  // namespace
}  // namespace reinstate

#include "server/snapshot/snapshot_tally.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/support/small_site.h"

namespace reinstate {
namespace {

TEST(SnapshotTally, CountsCollapsesUntilTheyAreLifted) {
  SmallSite site;
  for (int tenant = 0; tenant < 20; ++tenant) {
    site.Put(absl::StrCat("t", tenant), "issues", "1", "payload");
  }
  const SnapshotInfo good = site.TakeSnapshot();
  for (int tenant = 0; tenant < 15; ++tenant) {
    site.DeleteTenant(absl::StrCat("t", tenant));
  }
  const SnapshotInfo collapsed = site.TakeSnapshot();
  absl::StatusOr<SnapshotTally> tally = TallySnapshots(site.history(), site.lineage());
  ASSERT_TRUE(tally.ok()) << tally.status();
  EXPECT_EQ(tally->visible, 2);
  EXPECT_EQ(tally->collapsed, 1);
  EXPECT_EQ(tally->last_good->id, good.id);

  ASSERT_TRUE(site.history().LiftCollapse(collapsed.id).ok());
  tally = TallySnapshots(site.history(), site.lineage());
  ASSERT_TRUE(tally.ok()) << tally.status();
  EXPECT_EQ(tally->collapsed, 0);
  EXPECT_EQ(tally->last_good->id, collapsed.id);
}

}  // namespace
}  // namespace reinstate

#include "server/snapshot/snapshotter.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "storage/base/error.h"
#include "storage/base/fault_points.h"
#include "tests/support/small_site.h"

namespace reinstate {
namespace {

std::vector<std::string> PayloadsOf(const PointReader& point, const std::string& tenant,
                                    uint32_t table) {
  auto stream = point.ReadTable(TenantId::FromStored(tenant), table);
  EXPECT_TRUE(stream.ok()) << stream.status();
  std::vector<std::string> payloads;
  Record record;
  absl::StatusOr<bool> more = (*stream)->Next(&record);
  for (; more.ok() && *more; more = (*stream)->Next(&record)) {
    payloads.push_back(record.payload);
  }
  EXPECT_TRUE(more.ok()) << more.status();
  return payloads;
}

TEST(Snapshotter, WritesEveryTenantIntoTheHistory) {
  SmallSite site;
  site.Put("acme", "issues", "1", "first");
  site.Put("acme", "issues", "2", "second");
  site.Put("zeta", "issues", "1", "other");
  site.Put("zeta", "tenant", "name", "Zeta Ltd");

  const SnapshotInfo snapshot = site.TakeSnapshot();

  EXPECT_EQ(snapshot.tenants, 2);
  EXPECT_EQ(snapshot.sum.rows, 4);
  auto point = site.history().OpenPoint(snapshot.id);
  ASSERT_TRUE(point.ok()) << point.status();
  const auto zeta = (*point)->GetTenant(TenantId::FromStored("zeta"));
  ASSERT_TRUE(zeta.ok()) << zeta.status();
  EXPECT_EQ(zeta->labels, std::vector<std::string>{"Zeta Ltd"});
  for (const CoveredTable& table : snapshot.tables) {
    if (table.schema.name == "issues") {
      EXPECT_EQ(PayloadsOf(**point, "acme", table.number),
                (std::vector<std::string>{"first", "second"}));
      EXPECT_EQ(PayloadsOf(**point, "zeta", table.number), std::vector<std::string>{"other"});
    }
  }
}

TEST(Snapshotter, TakesTheInstantFromTheStore) {
  SmallSite site;
  site.Put("acme", "issues", "1", "first");
  const absl::Time before = site.clock().Now();
  EXPECT_EQ(site.TakeSnapshot().instant, before);
}

TEST(Snapshotter, RefusesAStoreThatIsNotTheRegisteredOne) {
  SmallSite site;
  site.Put("acme", "issues", "1", "first");
  const auto snapshot = site.TrySnapshot("another");
  EXPECT_TRUE(HasReason(snapshot.status(), Reason::kStoreIdentityChanged)) << snapshot.status();
  const auto snapshots = site.history().ListSnapshots(site.lineage());
  ASSERT_TRUE(snapshots.ok());
  EXPECT_TRUE(snapshots->empty());
}

TEST(Snapshotter, LeavesTheHistoryAsItWasWhenItIsCancelled) {
  SmallSite site;
  site.Put("acme", "issues", "1", "first");
  Snapshotter snapshotter(SnapshotterOptions(), &site.history());
  const auto identity = site.store().Identity();
  ASSERT_TRUE(identity.ok());
  Snapshotter::Order order{.lineage = site.lineage(), .store_identity = identity->id};
  order.cancelled = [] { return true; };

  const auto snapshot = snapshotter.Take(&site.store(), order);

  EXPECT_TRUE(HasReason(snapshot.status(), Reason::kCancelled)) << snapshot.status();
  const auto snapshots = site.history().ListSnapshots(site.lineage());
  ASSERT_TRUE(snapshots.ok());
  EXPECT_TRUE(snapshots->empty());
}

}  // namespace
}  // namespace reinstate

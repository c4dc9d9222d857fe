#include "storage/history/history.h"

#include "tests/unit/storage/history/history_fixture.h"

namespace reinstate {
namespace {

TenantModel TwoTenants() {
  TenantModel model;
  model.tenants["acme"][0] = {{"1", "one"}, {"2", "two"}};
  model.tenants["acme"][1] = {{"x", "ten"}};
  model.tenants["zoo"][0] = {{"1", "uno"}};
  model.tenants[""][1] = {{"stray", "row"}};
  model.labels["acme"] = {"Acme Inc.", "acme"};
  return model;
}

TEST(History, GivesBackWhatASnapshotTook) {
  HistoryFixture fixture;
  const SnapshotInfo info = fixture.Take(TwoTenants());
  EXPECT_EQ(info.id.ToString(), "snap-1-1");
  EXPECT_EQ(info.tenants, 2);
  EXPECT_EQ(info.ownerless_rows, 1);
  EXPECT_EQ(info.sum.rows, 5);
  fixture.ExpectHolds(info.id, TwoTenants());
  fixture.Reopen();
  fixture.ExpectHolds(info.id, TwoTenants());
}

TEST(History, KeepsEachVersion) {
  HistoryFixture fixture;
  TenantModel model = TwoTenants();
  const SnapshotInfo first = fixture.Take(model);
  model.tenants["acme"][0]["2"] = "changed";
  model.tenants["acme"][0].erase("1");
  model.tenants.erase("zoo");
  model.tenants["new"][0]["1"] = "new";
  const SnapshotInfo second = fixture.Take(model, {.ordered = false});
  fixture.ExpectHolds(first.id, TwoTenants());
  fixture.ExpectHolds(second.id, model);
}

}  // namespace
}  // namespace reinstate

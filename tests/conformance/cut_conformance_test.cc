// Cuts of the whole store.

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "tests/conformance/live_store_test.h"

namespace reinstate {
namespace {

class CutTest : public LiveStoreTest {
 protected:
  // A store with `tenants` tenants of different sizes, in two tables.
  StoreContents Fill(int tenants) {
    StoreContents contents;
    for (int t = 0; t < tenants; ++t) {
      const std::string tenant = "tenant " + std::to_string(t);
      for (int row = 0; row < 3 + (t % 7) * 10; ++row) {
        const std::string key = std::to_string(t) + "/" + std::to_string(row);
        const std::string table = row % 3 == 0 ? "comment" : "issue";
        Put(Tenant(tenant), table, key, "payload of " + key);
        contents[{tenant, table, key}] = "payload of " + key;
      }
    }
    return contents;
  }

  std::unique_ptr<Cut> OpenCut(int max_shards) {
    auto cut = live()->OpenCut({.max_shards = max_shards});
    EXPECT_THAT(cut, IsOk());
    return *std::move(cut);
  }

  // Replaces a row of the tenant through a session.
  void ReplaceBySession(const TenantId& tenant, const std::string& table, const std::string& key) {
    auto session = Transaction(tenant);
    Apply(session.get(), {Replace(table, key, Read(session.get(), table).at(key), "restored")});
    EXPECT_THAT(SealAndCommit(session.get()), IsOk());
  }
};
INSTANTIATE_TEST_SUITE_P(Adapters, CutTest, testing::ValuesIn(AllAdapters()), AdapterName);

TEST_P(CutTest, HoldsEveryRowExactlyOnceForAnyNumberOfShards) {
  const StoreContents contents = Fill(60);
  for (const int max_shards : {1, 2, 5, 100}) {
    const std::unique_ptr<Cut> cut = OpenCut(max_shards);
    EXPECT_GE(cut->shards(), 1);
    EXPECT_LE(cut->shards(), max_shards);
    EXPECT_EQ(ReadAll(cut.get()), contents);
  }
}

TEST_P(CutTest, IsOfSeveralShardsIfThereIsEnoughToRead) {
  Fill(60);
  EXPECT_GT(OpenCut(4)->shards(), 1);
}

TEST_P(CutTest, OfAnEmptyStoreHoldsNothing) {
  const std::unique_ptr<Cut> cut = OpenCut(3);
  EXPECT_EQ(ReadAll(cut.get()), StoreContents());
  EXPECT_TRUE(cut->info().map.tables.empty());
}

TEST_P(CutTest, IsOrderedByTenantIfItSaysSo) {
  Fill(60);
  const std::unique_ptr<Cut> cut = OpenCut(4);
  if (!cut->info().ordered_by_tenant) {
    return;
  }
  std::tuple<std::string, uint32_t, std::string> last;
  std::set<std::string> tenants_before;
  for (int shard = 0; shard < cut->shards(); ++shard) {
    std::set<std::string> tenants;
    auto stream = cut->OpenShard(shard);
    ASSERT_THAT(stream, IsOk());
    TenantRow row;
    while (*(*stream)->Next(&row)) {
      const std::tuple here(row.tenant, row.table, row.record.key.bytes());
      EXPECT_LT(last, here);
      last = here;
      tenants.insert(row.tenant);
      EXPECT_FALSE(tenants_before.contains(row.tenant)) << "no tenant is in two shards";
    }
    tenants_before.merge(tenants);
  }
}

TEST_P(CutTest, CountsWhatItsShardsHold) {
  const StoreContents contents = Fill(40);
  const std::unique_ptr<Cut> cut = OpenCut(2);
  for (uint32_t i = 0; i < cut->info().map.tables.size(); ++i) {
    const std::string& table = cut->info().map.tables[i].schema.name;
    int64_t expected = 0;
    for (const auto& [place, payload] : contents) {
      expected += std::get<1>(place) == table ? 1 : 0;
    }
    const auto counted = cut->CountRows(i);
    ASSERT_THAT(counted, IsOk());
    EXPECT_EQ(*counted, expected) << table;
  }
  EXPECT_THAT(cut->CountRows(static_cast<uint32_t>(cut->info().map.tables.size())),
              FailsWith(Reason::kTableNotFound));
}

TEST_P(CutTest, CountsRightWhileAndAfterSessionsChangeTenants) {
  Fill(8);
  for (const std::string tenant : {"tenant 1", "tenant 3"}) {
    ReplaceBySession(Tenant(tenant), "comment", tenant.substr(7) + "/0");
  }
  ASSERT_THAT(application()->DeleteTenant(Tenant("tenant 5")), IsOk());
  auto unfinished = Transaction(Tenant("tenant 6"));
  Apply(unfinished.get(), {Insert("issue", "new", "not committed")});
  ASSERT_THAT(unfinished->Seal(), IsOk());

  const std::unique_ptr<Cut> cut = OpenCut(2);
  const StoreContents rows = ReadAll(cut.get());
  std::map<std::string, int64_t> expected;
  for (const auto& [place, payload] : rows) {
    ++expected[std::get<1>(place)];
    EXPECT_NE(std::get<0>(place), "tenant 5");
  }
  EXPECT_FALSE(rows.contains({"tenant 6", "issue", "new"}));
  for (uint32_t i = 0; i < cut->info().map.tables.size(); ++i) {
    EXPECT_EQ(*cut->CountRows(i), expected[cut->info().map.tables[i].schema.name]);
  }
}

TEST_P(CutTest, DoesNotMoveWhileOthersWrite) {
  const StoreContents contents = Fill(30);
  const std::unique_ptr<Cut> cut = OpenCut(3);
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      Put(Tenant("tenant " + std::to_string(i % 30)), "issue", "later " + std::to_string(i % 300),
          "x");
    }
  });
  ReplaceBySession(Tenant("tenant 2"), "comment", "2/0");
  EXPECT_THAT(application()->DeleteTenant(Tenant("tenant 4")), IsOk());
  EXPECT_EQ(ReadAll(cut.get()), contents);
  EXPECT_EQ(ReadAll(cut.get()), contents) << "and when it is read again";
  int64_t counted = 0;
  for (uint32_t i = 0; i < cut->info().map.tables.size(); ++i) {
    counted += *cut->CountRows(i);
  }
  EXPECT_EQ(counted, static_cast<int64_t>(contents.size()));
  stop = true;
  writer.join();
  EXPECT_NE(Everything(), contents);
}

TEST_P(CutTest, IsReadByManyAtTheSameTime) {
  const StoreContents contents = Fill(50);
  const std::unique_ptr<Cut> cut = OpenCut(4);
  std::atomic<int64_t> rows = 0;
  std::vector<std::thread> readers;
  for (int shard = 0; shard < cut->shards(); ++shard) {
    readers.emplace_back([&, shard] {
      auto stream = cut->OpenShard(shard);
      ASSERT_THAT(stream, IsOk());
      TenantRow row;
      while (*(*stream)->Next(&row)) {
        ++rows;
      }
    });
  }
  for (std::thread& reader : readers) {
    reader.join();
  }
  EXPECT_EQ(rows, static_cast<int64_t>(contents.size()));
}

// Writers put the same number under two keys in one step, so that a cut or a session in which they
// differ shows half a write.
TEST_P(CutTest, AndSessionsNeverShowHalfAWrite) {
  const TenantId acme = Tenant("acme");
  const TenantId other = Tenant("other");
  const auto write_both = [&](const std::string& number) {
    const std::vector<RecordWrite> writes = {
        {.tenant = acme, .table = "t", .key = RowKey("a"), .payload = number},
        {.tenant = other, .table = "t", .key = RowKey("b"), .payload = number},
        {.tenant = acme, .table = "t", .key = RowKey("c"), .payload = number}};
    EXPECT_THAT(application()->Write(writes, false), IsOk());
  };
  write_both("0");
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 1; !stop; ++i) {
      write_both(std::to_string(i));
    }
  });
  for (int round = 0; round < 30; ++round) {
    const StoreContents all = Everything();
    EXPECT_EQ(all.at({"acme", "t", "a"}), all.at({"other", "t", "b"}));
    const auto session = Transaction(acme);
    const Rows rows = Read(session.get(), "t");
    EXPECT_EQ(rows.at("a"), rows.at("c"));
  }
  stop = true;
  writer.join();
}

TEST_P(CutTest, IsLabelledWithAnInstantThatIsNotBeforeItsView) {
  Fill(3);
  const absl::Time before = absl::Now();
  const std::unique_ptr<Cut> first = OpenCut(1);
  EXPECT_FALSE(first->info().position.empty());
  if (!GetParam().goes_by_clock) {
    EXPECT_GE(first->info().instant, before);
    EXPECT_LE(first->info().instant, absl::Now());
    return;
  }
  EXPECT_EQ(first->info().instant, clock_.Now());
  clock_.Advance(absl::Hours(1));
  EXPECT_EQ(OpenCut(1)->info().instant, clock_.Now());
}

TEST_P(CutTest, HoldsTheLabelsOfItsMoment) {
  Put(Tenant("b"), "tenant", "b/name", "Bäckerei");
  Put(Tenant("a"), "tenant", "a/1", "Acme");
  Put(Tenant("a"), "tenant", "a/2", "Acme Corporation");
  Put(Tenant("c"), "issue", "c/1", "no label at all");
  const std::unique_ptr<Cut> cut = OpenCut(2);
  Put(Tenant("b"), "tenant", "b/name", "renamed later");
  const auto stream = cut->OpenLabels();
  ASSERT_THAT(stream, IsOk());
  TenantLabels labels;
  ASSERT_TRUE(*(*stream)->Next(&labels));
  EXPECT_EQ(labels.tenant, Tenant("a"));
  EXPECT_THAT(labels.labels, testing::ElementsAre("Acme", "Acme Corporation"));
  ASSERT_TRUE(*(*stream)->Next(&labels));
  EXPECT_EQ(labels.tenant, Tenant("b"));
  EXPECT_THAT(labels.labels, testing::ElementsAre("Bäckerei"));
  EXPECT_FALSE(*(*stream)->Next(&labels));
  EXPECT_FALSE(*(*stream)->Next(&labels)) << "and again";
  EXPECT_FALSE(cut->info().map.label_source.empty());
}

TEST_P(CutTest, BoundsTheNumberOfATenantsLabels) {
  for (int i = 0; i < 100; ++i) {
    Put(Tenant("a"), "tenant", std::to_string(1000 + i), "label " + std::to_string(i));
  }
  const std::unique_ptr<Cut> cut = OpenCut(1);
  const auto stream = cut->OpenLabels();
  ASSERT_THAT(stream, IsOk());
  TenantLabels labels;
  ASSERT_TRUE(*(*stream)->Next(&labels));
  EXPECT_EQ(labels.labels.size(), 64);
  EXPECT_EQ(labels.labels.front(), "label 0");
}

TEST_P(CutTest, CountsTheRowsOfEveryTenant) {
  const StoreContents contents = Fill(25);
  ASSERT_THAT(application()->DeleteTenant(Tenant("tenant 7")), IsOk());
  std::map<std::string, int64_t> expected;
  for (const auto& [place, payload] : contents) {
    if (std::get<0>(place) != "tenant 7") {
      ++expected[std::get<0>(place)];
    }
  }
  const auto stream = live()->CountTenants();
  ASSERT_THAT(stream, IsOk());
  std::map<std::string, int64_t> counted;
  TenantCount count;
  std::string last;
  while (*(*stream)->Next(&count)) {
    EXPECT_LT(last, count.tenant.value());
    last = count.tenant.value();
    counted[last] = count.rows;
  }
  EXPECT_EQ(counted, expected);
}

TEST_P(CutTest, CountsTheRowsOfThoseTenantsThatAreNamed) {
  const StoreContents contents = Fill(25);
  ASSERT_THAT(application()->DeleteTenant(Tenant("tenant 7")), IsOk());
  const auto rows_of = [&contents](const std::string& tenant) {
    return std::count_if(contents.begin(), contents.end(),
                         [&](const auto& entry) { return std::get<0>(entry.first) == tenant; });
  };
  const std::vector<TenantId> tenants = {Tenant("tenant 9"), Tenant("tenant 7"), Tenant("nobody's"),
                                         Tenant("tenant 10"), Tenant("tenant 9")};
  const auto rows = live()->CountRowsOf(tenants);
  ASSERT_THAT(rows, IsOk());
  EXPECT_GT(rows_of("tenant 9"), 0);
  EXPECT_THAT(*rows, testing::ElementsAre(rows_of("tenant 9"), 0, 0, rows_of("tenant 10"),
                                          rows_of("tenant 9")));
  EXPECT_THAT(*live()->CountRowsOf({}), testing::IsEmpty());
  std::vector<TenantId> many(2500, Tenant("nobody's"));
  many.push_back(Tenant("tenant 10"));
  EXPECT_EQ(live()->CountRowsOf(many)->back(), rows_of("tenant 10"));
}

}  // namespace
}  // namespace reinstate

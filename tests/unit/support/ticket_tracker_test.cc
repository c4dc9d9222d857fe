#include "tests/support/ticket_tracker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace reinstate {
namespace {

using Rows = std::map<std::pair<std::string, std::string>, std::string>;

// By table and key, in order; fails if they do not come in order.
Rows RowsOf(const TicketTracker& tracker, size_t tenant) {
  Rows rows;
  tracker.ForEach(tenant, [&](std::string_view table, const Record& record) {
    std::pair key(std::string(table), record.key.bytes());
    EXPECT_TRUE(rows.empty() || rows.rbegin()->first < key) << key.first << " " << key.second;
    rows.emplace(std::move(key), record.payload);
  });
  return rows;
}

TEST(TicketTracker, GivesEachTenantItsNumberOfRecordsInOrder) {
  const TicketTracker tracker(std::vector<int64_t>{20, 1000, 333});
  for (size_t tenant = 0; tenant < tracker.tenants().size(); ++tenant) {
    EXPECT_EQ(RowsOf(tracker, tenant).size(), tracker.tenants()[tenant].records);
  }
  EXPECT_EQ(tracker.records(), 1353);
}

TEST(TicketTracker, MakesTheSameRecordsOfTheSameSeedOnly) {
  const std::vector<int64_t> sizes = {50, 50};
  const TicketTracker tracker(sizes, 7);
  EXPECT_EQ(RowsOf(tracker, 1), RowsOf(TicketTracker(sizes, 7), 1));
  EXPECT_NE(RowsOf(tracker, 1), RowsOf(TicketTracker(sizes, 8), 1));
  EXPECT_NE(RowsOf(tracker, 1), RowsOf(tracker, 0));
}

TEST(TicketTracker, ChangesOneInSoManyOfTheRecordsThatItHas) {
  const TicketTracker tracker(std::vector<int64_t>{10'000});
  const Rows before = RowsOf(tracker, 0);
  int64_t changed = 0;
  tracker.ForEachChanged(0, 100, 1, [&](std::string_view table, const Record& record) {
    const auto row = before.find({std::string(table), record.key.bytes()});
    ASSERT_NE(row, before.end());
    EXPECT_NE(row->second, record.payload);
    ++changed;
  });
  EXPECT_GT(changed, 60);
  EXPECT_LT(changed, 150);
}

TEST(TicketTracker, HasALongTailOfSizes) {
  const std::vector<int64_t> sizes = TicketTracker::LongTail(2000, 500'000);
  ASSERT_EQ(sizes.size(), 2000);
  const auto [smallest, largest] = std::minmax_element(sizes.begin(), sizes.end());
  EXPECT_GT(*largest, 1000 * *smallest);
  const TicketTracker tracker(sizes);
  EXPECT_NEAR(static_cast<double>(tracker.records()), 500'000, 50'000);
}

}  // namespace
}  // namespace reinstate

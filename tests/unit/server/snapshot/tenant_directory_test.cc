#include "server/snapshot/tenant_directory.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "storage/base/error.h"
#include "tests/support/small_site.h"

namespace reinstate {
namespace {

constexpr int64_t kMany = 100;

class TenantDirectoryTest : public testing::Test {
 protected:
  void Name(const std::string& tenant, const std::string& name) {
    site_.Put(tenant, "tenant", "name", name);
  }

  std::vector<TenantMatch> Find(const std::string& query, int64_t limit = kMany) {
    const auto matches = TenantDirectory(&site_.history()).Find(site_.lineage(), query, limit);
    EXPECT_TRUE(matches.ok()) << matches.status();
    return matches.value_or(std::vector<TenantMatch>());
  }

  std::vector<LostTenant> ListLost(const SnapshotId& point, double fraction,
                                   const std::optional<TenantId>& after = std::nullopt,
                                   int64_t limit = kMany) {
    const auto lost =
        TenantDirectory(&site_.history()).ListLost(point, &site_.store(), fraction, after, limit);
    EXPECT_TRUE(lost.ok()) << lost.status();
    return lost.value_or(std::vector<LostTenant>());
  }

  SmallSite site_;
};

std::vector<std::string> Ids(const std::vector<TenantMatch>& matches) {
  std::vector<std::string> ids;
  ids.reserve(matches.size());
  for (const TenantMatch& match : matches) {
    ids.push_back(match.tenant.value());
  }
  return ids;
}

std::vector<std::string> Ids(const std::vector<LostTenant>& lost) {
  std::vector<std::string> ids;
  ids.reserve(lost.size());
  for (const LostTenant& tenant : lost) {
    ids.push_back(tenant.at_point.tenant.value());
  }
  return ids;
}

TEST_F(TenantDirectoryTest, FindsExactBeforeNormalisedBeforeSimilar) {
  Name("t1", "Acme Corpp");
  Name("t2", "ACME, corp.");
  Name("t3", "Acme Corp");
  Name("t4", "Umbrella");
  site_.TakeSnapshot();

  const std::vector<TenantMatch> matches = Find("Acme Corp");

  ASSERT_EQ(Ids(matches), (std::vector<std::string>{"t3", "t2", "t1"}));
  EXPECT_EQ(matches[0].kind, MatchKind::kExact);
  EXPECT_EQ(matches[1].kind, MatchKind::kNormalised);
  EXPECT_EQ(matches[1].matched, "ACME, corp.");
  EXPECT_EQ(matches[1].similarity, 1);
  EXPECT_EQ(matches[2].kind, MatchKind::kSimilar);
  EXPECT_LT(matches[2].similarity, 1);
}

TEST_F(TenantDirectoryTest, FindsByIdAndByAnyLabel) {
  Name("site-7", "Acme");
  site_.Put("site-7", "tenant", "zz-alias", "The Coyote Shop");
  site_.TakeSnapshot();

  EXPECT_EQ(Find("site-7").front().matched, "site-7");
  const TenantMatch by_alias = Find("the coyote shop").front();
  EXPECT_EQ(by_alias.matched, "The Coyote Shop");
  EXPECT_EQ(by_alias.labels, (std::vector<std::string>{"Acme", "The Coyote Shop"}));
}

TEST_F(TenantDirectoryTest, FindsWhatALabelWasEarlier) {
  Name("t1", "Old Name");
  site_.TakeSnapshot();
  Name("t1", "Fresh");
  const SnapshotInfo newest = site_.TakeSnapshot();

  const std::vector<TenantMatch> matches = Find("old name");

  ASSERT_EQ(matches.size(), 1);
  EXPECT_EQ(matches[0].matched, "Old Name");
  EXPECT_EQ(matches[0].labels, std::vector<std::string>{"Fresh"});
  EXPECT_EQ(matches[0].last_seen, newest.id);
  EXPECT_TRUE(matches[0].in_newest);
}

TEST_F(TenantDirectoryTest, SaysWhereADeletedTenantWasSeenLast) {
  Name("t1", "Gone");
  Name("t2", "Stays");
  site_.TakeSnapshot();
  const SnapshotInfo last = site_.TakeSnapshot();  // t1 has not changed
  site_.DeleteTenant("t1");
  site_.TakeSnapshot();

  const std::vector<TenantMatch> matches = Find("Gone");

  ASSERT_EQ(matches.size(), 1);
  EXPECT_EQ(matches[0].last_seen, last.id);
  EXPECT_FALSE(matches[0].in_newest);
}

TEST_F(TenantDirectoryTest, DoesNotSeeWhatOnlyHiddenSnapshotsHave) {
  Name("t1", "Brief Name");
  const SnapshotInfo hidden = site_.TakeSnapshot();
  Name("t1", "Lasting");
  site_.TakeSnapshot();
  ASSERT_TRUE(site_.history().Hide(hidden.id).ok());

  EXPECT_TRUE(Find("Brief Name").empty());
  EXPECT_EQ(Find("Lasting").size(), 1);
}

TEST_F(TenantDirectoryTest, SeesWhatAHiddenSnapshotSharesWithAVisibleOne) {
  Name("t1", "Shared");
  const SnapshotInfo hidden = site_.TakeSnapshot();
  const SnapshotInfo visible = site_.TakeSnapshot();
  ASSERT_TRUE(site_.history().Hide(hidden.id).ok());

  const std::vector<TenantMatch> matches = Find("Shared");

  ASSERT_EQ(matches.size(), 1);
  EXPECT_EQ(matches[0].last_seen, visible.id);
}

TEST_F(TenantDirectoryTest, GivesTheBestUpToTheLimit) {
  Name("t1", "Acme Corporation");
  Name("t2", "Acme");
  Name("t3", "Acmee");
  site_.TakeSnapshot();
  EXPECT_EQ(Ids(Find("acme", 2)), (std::vector<std::string>{"t2", "t3"}));
}

TEST_F(TenantDirectoryTest, OfPunctuationFindsOnlyTheSamePunctuation) {
  Name("t1", "???");
  Name("t2", "!!!");
  site_.TakeSnapshot();
  EXPECT_EQ(Ids(Find("???")), std::vector<std::string>{"t1"});
}

TEST_F(TenantDirectoryTest, RefusesAnEmptyQuery) {
  const auto matches = TenantDirectory(&site_.history()).Find(site_.lineage(), "", kMany);
  EXPECT_TRUE(HasReason(matches.status(), Reason::kInvalidArgument)) << matches.status();
}

TEST_F(TenantDirectoryTest, FindsNothingWithoutSnapshots) { EXPECT_TRUE(Find("acme").empty()); }

TEST_F(TenantDirectoryTest, ListsWhoIsGoneOrSmallerThanTheFraction) {
  for (const char* tenant : {"gone", "half", "same", "third"}) {
    for (int row = 0; row < 6; ++row) {
      site_.Put(tenant, "issues", std::to_string(row), "payload");
    }
  }
  const SnapshotInfo point = site_.TakeSnapshot();
  site_.DeleteTenant("gone");
  for (int row = 0; row < 3; ++row) {
    site_.Delete("half", "issues", std::to_string(row));
  }
  for (int row = 0; row < 4; ++row) {
    site_.Delete("third", "issues", std::to_string(row));
  }
  site_.Put("new", "issues", "1", "payload");

  EXPECT_EQ(Ids(ListLost(point.id, 0.5)), (std::vector<std::string>{"gone", "third"}));
  EXPECT_EQ(Ids(ListLost(point.id, 1)), (std::vector<std::string>{"gone", "half", "third"}));
  const std::vector<LostTenant> lost = ListLost(point.id, 0.5);
  EXPECT_EQ(lost[0].rows_live, 0);
  EXPECT_EQ(lost[0].at_point.rows(), 6);
  EXPECT_EQ(lost[1].rows_live, 2);
}

TEST_F(TenantDirectoryTest, ListsTheLostPageByPage) {
  constexpr int kTenants = 2500;  // more than the directory reads at once
  for (int i = 0; i < kTenants; ++i) {
    site_.Put("t" + std::to_string(10'000 + i), "issues", "1", "payload");
  }
  const SnapshotInfo point = site_.TakeSnapshot();
  for (int i = 0; i < kTenants; i += 5) {
    site_.DeleteTenant("t" + std::to_string(10'000 + i));
  }

  std::vector<std::string> all;
  std::optional<TenantId> after;
  std::vector<LostTenant> page;
  do {
    page = ListLost(point.id, 0.5, after, 7);
    for (const std::string& id : Ids(page)) {
      all.push_back(id);
      after = TenantId::FromStored(id);
    }
  } while (!page.empty());

  ASSERT_EQ(all.size(), kTenants / 5);
  EXPECT_EQ(all.front(), "t10000");
  EXPECT_EQ(all.back(), "t12495");
  EXPECT_EQ(Ids(ListLost(point.id, 0.5, std::nullopt, kTenants)), all);
}

}  // namespace
}  // namespace reinstate

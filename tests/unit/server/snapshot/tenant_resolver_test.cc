#include "server/snapshot/tenant_resolver.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/snapshot/tenant_roster.h"
#include "tests/support/small_site.h"

namespace reinstate {
namespace {

class TenantResolverTest : public testing::Test {
 protected:
  void Name(const std::string& tenant, const std::string& name) {
    site_.Put(tenant, "tenant", "name", name);
  }

  TenantRoster Load(const SnapshotInfo& point) {
    absl::StatusOr<TenantRoster> roster = TenantRoster::Load(site_.history(), point.id);
    EXPECT_TRUE(roster.ok()) << roster.status();
    return *std::move(roster);
  }

  SmallSite site_;
};

const char* WordOf(ResolutionKind kind) {
  switch (kind) {
    case ResolutionKind::kExact:
      return "exact";
    case ResolutionKind::kNormalised:
      return "normalised";
    case ResolutionKind::kAmbiguous:
      return "ambiguous";
    case ResolutionKind::kSimilar:
      return "similar";
    case ResolutionKind::kNone:
      return "none";
  }
  return "?";
}

// "exact t1 t2": the kind, then the candidates' ids.
std::string Described(const TenantRoster& roster, const ResolvedText& resolved) {
  std::string text = WordOf(resolved.kind);
  for (const ResolutionCandidate& candidate : resolved.candidates) {
    absl::StrAppend(&text, " ", roster.entries()[candidate.entry].tenant.value());
  }
  return text;
}

std::string Resolved(const TenantRoster& roster, const std::string& text,
                     const ResolveLimits& limits = {}) {
  return Described(roster, ResolveTexts(roster, {text}, limits).front());
}

TEST_F(TenantResolverTest, TakesIdsAndLabelsExactlyAndNormalised) {
  Name("site-7", "Acme Corp");
  Name("site-8", "Zoë's Shop");
  const TenantRoster roster = Load(site_.TakeSnapshot());
  EXPECT_EQ(Resolved(roster, "site-7"), "exact site-7");
  EXPECT_EQ(Resolved(roster, "Acme Corp"), "exact site-7");
  EXPECT_EQ(Resolved(roster, "ACME, corp."), "normalised site-7");
  EXPECT_EQ(Resolved(roster, "Site 8"), "normalised site-8");
  EXPECT_EQ(Resolved(roster, "zoes shop"), "normalised site-8");
}

TEST_F(TenantResolverTest, NeverTakesWhatIsOnlySimilar) {
  Name("1001", "Acme Corporation");
  Name("1002", "Acme Cooperation");
  Name("1003", "Umbrella");
  const TenantRoster roster = Load(site_.TakeSnapshot());
  EXPECT_EQ(Resolved(roster, "Acme Corporatoin"), "similar 1001 1002");
  EXPECT_EQ(Resolved(roster, "Acme"), "similar 1001 1002");
  EXPECT_EQ(Resolved(roster, "Weyland-Yutani"), "none");
  EXPECT_EQ(Resolved(roster, "???"), "none");
}

TEST_F(TenantResolverTest, SaysThatANameOfSeveralIsAmbiguous) {
  Name("1001", "Acme");
  Name("1002", "Acme");
  Name("1003", "ZETA");
  Name("1004", "Zeta.");
  const TenantRoster roster = Load(site_.TakeSnapshot());
  EXPECT_EQ(Resolved(roster, "Acme"), "ambiguous 1001 1002");
  EXPECT_EQ(Resolved(roster, "zeta"), "ambiguous 1003 1004");
  EXPECT_EQ(Resolved(roster, "ZETA"), "exact 1003 1004");
}

TEST_F(TenantResolverTest, TakesAnIdBeforeALabelOfAnother) {
  Name("1001", "1002");
  Name("1002", "Zeta");
  Name("1003", "1002.");
  const TenantRoster roster = Load(site_.TakeSnapshot());
  EXPECT_EQ(Resolved(roster, "1002"), "exact 1002 1001 1003");
}

TEST_F(TenantResolverTest, ANameThatSomebodyElseHadEarlierIsAmbiguous) {
  Name("1001", "Acme");
  Name("1002", "Zeta");
  site_.TakeSnapshot();
  Name("1001", "Acme Holding");
  Name("1002", "Acme");
  const TenantRoster roster = Load(site_.TakeSnapshot());
  EXPECT_EQ(Resolved(roster, "Acme"), "ambiguous 1001 1002");
  EXPECT_EQ(Resolved(roster, "Zeta"), "exact 1002");
}

TEST_F(TenantResolverTest, KnowsWhatATenantWasAtThePoint) {
  Name("1001", "Old Name");
  site_.Put("1001", "issue", "1", "x");
  Name("1002", "Later Gone");
  const SnapshotInfo point = site_.TakeSnapshot();
  Name("1001", "New Name");
  site_.Put("1001", "issue", "2", "x");
  site_.DeleteTenant("1002");
  Name("1003", "Too Young");
  site_.TakeSnapshot();

  const TenantRoster roster = Load(point);
  ASSERT_EQ(roster.entries().size(), 3);
  EXPECT_EQ(roster.entries()[0].label, "Old Name");
  EXPECT_EQ(roster.entries()[0].at_point->rows, 2);
  EXPECT_EQ(roster.entries()[1].at_point->rows, 1);
  EXPECT_FALSE(roster.entries()[2].at_point.has_value());
  EXPECT_EQ(roster.entries()[2].label, "Too Young");
  EXPECT_EQ(Resolved(roster, "New Name"), "exact 1001");
}

TEST_F(TenantResolverTest, DoesNotKnowNamesThatOnlyAHiddenSnapshotHas) {
  Name("1001", "Brief Name");
  const SnapshotInfo hidden = site_.TakeSnapshot();
  Name("1001", "Lasting");
  const SnapshotInfo point = site_.TakeSnapshot();
  ASSERT_TRUE(site_.history().Hide(hidden.id).ok());
  EXPECT_EQ(Resolved(Load(point), "Brief Name"), "none");
  EXPECT_EQ(Resolved(Load(point), "Lasting"), "exact 1001");
}

TEST_F(TenantResolverTest, CountsLiveRowsAndKnowsWhomOnlyTheLiveStoreHas) {
  Name("1001", "Acme");
  Name("1003", "Zeta");
  const SnapshotInfo point = site_.TakeSnapshot();
  site_.DeleteTenant("1003");
  site_.Put("1002", "issue", "1", "x");
  TenantRoster roster = Load(point);
  EXPECT_EQ(Resolved(roster, "1002", {.max_sought = 0}), "none");
  EXPECT_FALSE(roster.entries()[0].rows_live.has_value());

  ASSERT_TRUE(roster.CountLive(&site_.store()).ok());

  EXPECT_EQ(Resolved(roster, "1002"), "exact 1002");
  ASSERT_EQ(roster.entries().size(), 3);
  EXPECT_EQ(roster.entries()[0].rows_live, 1);
  EXPECT_EQ(roster.entries()[1].rows_live, 0);  // 1003
  EXPECT_EQ(roster.entries()[2].rows_live, 1);  // 1002
  EXPECT_FALSE(roster.entries()[2].at_point.has_value());
}

TEST_F(TenantResolverTest, GivesTheBestCandidatesUpToTheLimitAndSaysThatThereAreMore) {
  for (int i = 0; i < 9; ++i) {
    Name(absl::StrCat("t", i), "Test");
  }
  Name("x1", "Acme Corpp");
  Name("x2", "Acme Corpx");
  Name("x3", "Acme Corpyy");
  const TenantRoster roster = Load(site_.TakeSnapshot());
  const std::vector<ResolvedText> resolved =
      ResolveTexts(roster, {"Test", "acme corp", "TEST"}, {.max_candidates = 2});
  EXPECT_EQ(Described(roster, resolved[0]), "ambiguous t0 t1");
  EXPECT_TRUE(resolved[0].more_candidates);
  EXPECT_EQ(Described(roster, resolved[1]), "similar x1 x2");
  EXPECT_TRUE(resolved[1].more_candidates);
  EXPECT_EQ(Described(roster, resolved[2]), "ambiguous t0 t1");
}

TEST_F(TenantResolverTest, SeeksSimilarNamesForSoManyUnknownTextsOnlyAndSaysSo) {
  Name("1001", "Acme Corp");
  const TenantRoster roster = Load(site_.TakeSnapshot());
  const std::vector<ResolvedText> resolved =
      ResolveTexts(roster, {"Acme Corpo", "1001", "Acme Corps", "Acme Corpo"}, {.max_sought = 1});
  EXPECT_EQ(Described(roster, resolved[0]), "similar 1001");
  EXPECT_EQ(Described(roster, resolved[1]), "exact 1001");
  EXPECT_EQ(Described(roster, resolved[2]), "none");
  EXPECT_TRUE(resolved[2].similar_not_sought);
  EXPECT_EQ(Described(roster, resolved[3]), "similar 1001");  // the same text once more
  EXPECT_FALSE(resolved[3].similar_not_sought);
}

}  // namespace
}  // namespace reinstate

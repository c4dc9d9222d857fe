// That verification notices what a store does wrong, and the second look of a mirror.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "storage/base/error.h"
#include "tests/unit/server/restore/restore_engine_fixture.h"

namespace reinstate {
namespace {

// Stores that do something else than they were told, and do not say so.
struct Mutation {
  const char* name;
  std::function<absl::Status(TenantSession*, const Change&)> apply;
};

TEST_F(RestoreEngineTest, AStoreThatLosesAltersOrMisplacesARowIsNoticed) {
  const Change extra{
      .kind = ChangeKind::kInsert, .table = "issues", .key = RowKey("extra"), .new_payload = "row"};
  const std::vector<Mutation> mutations = {
      {"drops a row", [](TenantSession*, const Change&) { return absl::OkStatus(); }},
      {"alters a row",
       [](TenantSession* session, Change change) {
         change.new_payload += "!";
         return session->Apply(change);
       }},
      {"doubles a row under another key",
       [&](TenantSession* session, const Change& change) {
         RETURN_IF_ERROR(session->Apply(change));
         return session->Apply(extra);
       }},
      {"puts a row under another key", [](TenantSession* session, Change change) {
         change.key = RowKey(change.key.bytes() + "0");
         return session->Apply(change);
       }}};
  const StoreModel before = Live();
  for (const Mutation& mutation : mutations) {
    hooks_.apply = mutation.apply;
    const state::RestoreRecord restore = world_.Restore(Order(state::CREATE_MISSING));
    EXPECT_EQ(restore.failure().reason(), "VERIFICATION_MISMATCH") << mutation.name;
    EXPECT_EQ(Live(), before) << mutation.name;
  }
}

TEST_F(RestoreEngineTest, ControlCountingRowsAloneWouldNotNoticeAnAlteredRow) {
  // The naive check of a restore, the number of rows, on the same mutation: it is satisfied.
  auto session = *store_.OpenTenant(*TenantId::Parse("acme"), {});
  ASSERT_TRUE(session->Begin().ok());
  ASSERT_TRUE(session
                  ->Apply({.kind = ChangeKind::kInsert,
                           .table = "issues",
                           .key = RowKey("2"),
                           .new_payload = "two!"})
                  .ok());
  auto rows = *session->ReadTable("issues");
  Record record;
  int count = 0;
  while (*rows->Next(&record)) {
    ++count;
  }
  EXPECT_EQ(count, 4);
  rows.reset();
  ASSERT_TRUE(session->Seal().ok());
  ASSERT_TRUE(session->Commit(absl::InfiniteFuture()).ok());
  EXPECT_EQ(Live()["acme"]["issues"]["2"], "two!") << "the control must corrupt";
}

TEST_F(RestoreEngineTest, AMirrorIsLookedAtOnceMoreAndWhatArrivedMeanwhileIsSaid) {
  hooks_.after_commit = [&] {
    world_.Put("acme", "issues", "50", "arrived after the commit");
    return absl::OkStatus();
  };
  const state::RestoreRecord restore = world_.Restore(Order(state::MIRROR));
  ASSERT_EQ(restore.state(), state::SUCCEEDED);
  const auto certificate = world_.state()->GetCertificate(restore.id());
  EXPECT_GT(certificate->second_look_us(), 0);
  ASSERT_EQ(certificate->second_look_size(), 1);
  EXPECT_EQ(certificate->second_look(0).name(), "issues");
  EXPECT_EQ(certificate->second_look(0).found().rows(), 4);
  EXPECT_EQ(certificate->exceptions_size(), 0);
}

TEST_F(RestoreEngineTest, AMirrorThatCouldNotBeLookedAtOnceMoreSaysSoInItsExceptions) {
  bool committed = false;
  hooks_.after_commit = [&] {
    committed = true;
    return absl::OkStatus();
  };
  hooks_.begin = [&] {
    return committed ? MakeError(Reason::kUnavailable, "the store is away") : absl::OkStatus();
  };
  const state::RestoreRecord restore = world_.Restore(Order(state::MIRROR));
  ASSERT_EQ(restore.state(), state::SUCCEEDED);
  const auto certificate = world_.state()->GetCertificate(restore.id());
  EXPECT_EQ(certificate->second_look_us(), 0);
  ASSERT_EQ(certificate->exceptions_size(), 1);
  EXPECT_EQ(certificate->exceptions(0),
            "not compared once more since the commit: the store is away");
}

TEST_F(RestoreEngineTest, AStopEndsTheSecondLookOfAMirrorAndACancelDoesNot) {
  const auto look_after = [this](const std::vector<void (RunControl::*)()>& asked) {
    world_.Put("acme", "issues", "9", "newer");
    RunControl control;
    hooks_.after_commit = [&] {
      for (const auto ask : asked) {
        (control.*ask)();
      }
      return absl::OkStatus();
    };
    const state::RestoreRecord restore = world_.Restore(Order(state::MIRROR), &control);
    EXPECT_EQ(restore.state(), state::SUCCEEDED);
    return *world_.state()->GetCertificate(restore.id());
  };
  EXPECT_GT(look_after({}).second_look_us(), 0);
  EXPECT_GT(look_after({&RunControl::Cancel}).second_look_us(), 0);
  for (const auto& asked : std::vector<std::vector<void (RunControl::*)()>>{
           {&RunControl::Stop}, {&RunControl::Cancel, &RunControl::Stop}}) {
    const state::Certificate certificate = look_after(asked);
    EXPECT_EQ(certificate.second_look_us(), 0);
    EXPECT_THAT(
        certificate.exceptions(),
        testing::ElementsAre("not compared once more since the commit: the daemon was stopped"));
  }
}

TEST_F(RestoreEngineTest, AMirrorThatAPersonResolvedSaysThatItWasNotLookedAtOnceMore) {
  hooks_.resolve = CommitOutcome::kNotKnown;
  hooks_.before_commit = [&] {
    for (const char* key : {"1", "2", "9"}) {
      world_.Put("acme", "issues", key, "neither old nor ours");
    }
    return MakeError(Reason::kCommitUnknown, "lost");
  };
  state::RestoreOrder order = Order(state::MIRROR);
  order.add_tables("issues");
  const state::RestoreRecord restore = world_.Restore(order);
  ASSERT_EQ(restore.state(), state::IN_DOUBT);
  ASSERT_TRUE(world_.engine()->Resolve(restore.id(), /*committed=*/true, {}, "looked").ok());
  const auto certificate = world_.state()->GetCertificate(restore.id());
  EXPECT_THAT(certificate->exceptions(),
              testing::Contains("not compared once more since the commit"));
}

}  // namespace
}  // namespace reinstate

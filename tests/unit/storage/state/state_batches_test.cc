// What the state keeps of batches.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/state/state_keys.h"
#include "tests/unit/storage/state/state_fixture.h"

namespace reinstate {
namespace {

using Strings = std::vector<std::string>;

class StateBatchesTest : public StateFixture {
 protected:
  void SetUp() override { Open(); }

  static state::BatchRecord Batch(const std::string& id,
                                  state::BatchState state = state::BATCH_RUNNING) {
    state::BatchRecord batch;
    batch.set_id(id);
    batch.set_state(state);
    batch.mutable_order()->set_store("main");
    return batch;
  }

  // Lines from `first` on, a restore each.
  static BatchParts Parts(const std::string& batch, int first, int lines) {
    BatchParts parts;
    for (int i = first; i < first + lines; ++i) {
      state::BatchLine line;
      line.set_number(i);
      line.set_tenant(absl::StrCat("t", i));
      line.add_targets()->set_restore(absl::StrCat("rst-", batch, "-", i));
      parts.restores.push_back(Restore(line.targets(0).restore(), line.tenant()));
      parts.lines.push_back(std::move(line));
    }
    return parts;
  }

  absl::StatusOr<Created> CreateBatch(const std::string& id, int lines,
                                      const RequestKey& request = RequestKey()) {
    return store_->CreateBatch(request, Batch(id), Parts(id, 0, lines), Audit("batch.created", id));
  }

  Strings Tenants(const std::string& id) {
    Strings tenants;
    const auto lines = store_->BatchLines(id);
    EXPECT_TRUE(lines.ok()) << lines.status();
    for (const state::BatchLine& line : *lines) {
      tenants.push_back(line.tenant());
    }
    return tenants;
  }

  size_t Restores() { return store_->ListRestores({}, "", 10'000)->size(); }

  static absl::Status Leave(state::BatchRecord* /*batch*/) { return absl::OkStatus(); }
};

TEST_F(StateBatchesTest, GivesABatchBackWithItsLinesInOrderAndItsRestores) {
  ASSERT_TRUE(CreateBatch("bat-1", 300).ok());
  ASSERT_TRUE(CreateBatch("bat-10", 1).ok());  // whose id begins alike
  Open();
  const auto batch = store_->GetBatch("bat-1");
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->revision(), 1);
  EXPECT_EQ(batch->created_us(), absl::ToUnixMicros(clock_.Now()));
  const Strings tenants = Tenants("bat-1");
  ASSERT_EQ(tenants.size(), 300U);
  for (size_t i = 0; i < tenants.size(); ++i) {
    EXPECT_EQ(tenants[i], absl::StrCat("t", i));
  }
  EXPECT_EQ(store_->GetRestore("rst-bat-1-299")->state(), state::QUEUED);
  EXPECT_EQ(store_->UnfinishedRestores()->size(), 301U);
  EXPECT_TRUE(Tenants("bat-2").empty());
  EXPECT_TRUE(HasReason(store_->GetBatch("bat-2").status(), Reason::kBatchNotFound));
}

TEST_F(StateBatchesTest, StoresNothingOfABatchOfWhichOneRestoreIsWrong) {
  BatchParts parts = Parts("bat-1", 0, 3);
  parts.restores[2].clear_id();
  EXPECT_FALSE(
      store_->CreateBatch({"r1", "CreateBatch", "d"}, Batch("bat-1"), parts, Audit("a", "b")).ok());
  Open();
  EXPECT_TRUE(HasReason(store_->GetBatch("bat-1").status(), Reason::kBatchNotFound));
  EXPECT_TRUE(Tenants("bat-1").empty());
  EXPECT_EQ(Restores(), 0U);
  EXPECT_TRUE(store_->ListAudit(0, 10)->empty());
  EXPECT_FALSE(store_->FindRequest({"r1", "CreateBatch", "d"})->has_value());
}

TEST_F(StateBatchesTest, MakesOneBatchOfTheSameRequest) {
  const RequestKey request{"r1", "CreateBatch", "digest"};
  ASSERT_TRUE(CreateBatch("bat-1", 2, request).ok());
  Open();
  const auto again = CreateBatch("bat-2", 2, request);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->existed);
  EXPECT_EQ(again->id, "bat-1");
  EXPECT_EQ(Restores(), 2U);
  EXPECT_TRUE(HasReason(CreateBatch("bat-3", 1, {"r1", "CreateBatch", "other"}).status(),
                        Reason::kRequestIdReused));
}

TEST_F(StateBatchesTest, ChangesABatchWithItsLinesAndRestoresInOneStep) {
  ASSERT_TRUE(CreateBatch("bat-1", 2).ok());
  BatchParts parts = Parts("bat-1", 2, 1);
  state::BatchLine changed;
  changed.set_number(0);
  changed.set_tenant("instead");
  parts.lines.push_back(changed);
  const auto batch = store_->UpdateBatch(
      "bat-1",
      [](state::BatchRecord* record) {
        record->set_state(state::BATCH_PAUSED);
        return absl::OkStatus();
      },
      parts, Audit("batch.paused", "bat-1"));
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->revision(), 2);
  Open();
  EXPECT_EQ(store_->GetBatch("bat-1")->state(), state::BATCH_PAUSED);
  EXPECT_EQ(Tenants("bat-1"), Strings({"instead", "t1", "t2"}));
  EXPECT_EQ(Restores(), 3U);
  EXPECT_EQ(store_->ListAudit(0, 10)->back().action(), "batch.paused");
  EXPECT_TRUE(store_->VerifyAudit().ok());
}

TEST_F(StateBatchesTest, ChangesNothingIfTheChangeIsRefused) {
  ASSERT_TRUE(CreateBatch("bat-1", 1).ok());
  const auto refused = store_->UpdateBatch(
      "bat-1", [](state::BatchRecord*) { return MakeError(Reason::kBatchEnded, "no"); },
      Parts("bat-1", 1, 1), Audit("batch.changed", "bat-1"));
  EXPECT_TRUE(HasReason(refused.status(), Reason::kBatchEnded));
  EXPECT_EQ(store_->GetBatch("bat-1")->revision(), 1);
  EXPECT_EQ(Tenants("bat-1").size(), 1U);
  EXPECT_EQ(Restores(), 1U);
  EXPECT_TRUE(HasReason(store_->UpdateBatch("bat-2", Leave, {}, std::nullopt).status(),
                        Reason::kBatchNotFound));
}

TEST_F(StateBatchesTest, ListsTheNewestFirstAndWhatHasNotEnded) {
  for (const auto& [id, state] : std::vector<std::pair<std::string, state::BatchState>>{
           {"bat-1", state::BATCH_SUCCEEDED},
           {"bat-2", state::BATCH_PAUSED},
           {"bat-3", state::BATCH_PLANNED},
           {"bat-4", state::BATCH_CANCELLING},
           {"bat-5", state::BATCH_WAITING_FOR_CONSENT}}) {
    ASSERT_TRUE(store_->CreateBatch({}, Batch(id, state), {}, AuditDraft()).ok());
  }
  const auto ids = [](const absl::StatusOr<std::vector<state::BatchRecord>>& batches) {
    Strings all;
    for (const state::BatchRecord& batch : batches.value()) {
      all.push_back(batch.id());
    }
    return all;
  };
  EXPECT_EQ(ids(store_->ListBatches("", 2)), Strings({"bat-5", "bat-4"}));
  EXPECT_EQ(ids(store_->ListBatches("bat-4", 10)), Strings({"bat-3", "bat-2", "bat-1"}));
  EXPECT_EQ(ids(store_->UnfinishedBatches()), Strings({"bat-2", "bat-4", "bat-5"}));
}

TEST_F(StateBatchesTest, ForgetsADryRunAfterADayAndNoOtherBatch) {
  state::BatchRecord dry_run = Batch("bat-1", state::BATCH_PLANNED);
  dry_run.mutable_order()->set_dry_run(true);
  BatchParts lines = Parts("bat-1", 0, 3);
  lines.restores.clear();
  ASSERT_TRUE(store_->CreateBatch({}, dry_run, lines, AuditDraft()).ok());
  dry_run.set_id("bat-2");
  dry_run.set_state(state::BATCH_PLANNING);
  ASSERT_TRUE(store_->CreateBatch({}, dry_run, {}, AuditDraft()).ok());
  ASSERT_TRUE(
      store_->CreateBatch({}, Batch("bat-3", state::BATCH_SUCCEEDED), {}, AuditDraft()).ok());
  clock_.Advance(absl::Hours(23));
  ASSERT_TRUE(store_->RemoveExpired().ok());
  EXPECT_EQ(Tenants("bat-1").size(), 3U);
  clock_.Advance(absl::Hours(2));
  ASSERT_TRUE(store_->RemoveExpired().ok());
  Open();
  EXPECT_TRUE(HasReason(store_->GetBatch("bat-1").status(), Reason::kBatchNotFound));
  EXPECT_TRUE(Tenants("bat-1").empty());
  EXPECT_TRUE(store_->GetBatch("bat-2").ok());
  EXPECT_TRUE(store_->GetBatch("bat-3").ok());
}

}  // namespace
}  // namespace reinstate

// The calls of BatchService over a real connection.

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/server/rpc/rpc_site.h"

namespace reinstate {
namespace {

using Strings = std::vector<std::string>;

class BatchServiceTest : public ::testing::Test {
 protected:
  static constexpr int kTenants = 8;

  BatchServiceTest() {
    for (int i = 0; i < kTenants; ++i) {
      site_.Put(Tenant(i), "tenant", "name", absl::StrCat("Tenant ", i));
      site_.Put(Tenant(i), "issues", "1", "payload");
    }
    site_.TakeSnapshot();
    for (int i = 0; i < kTenants; ++i) {
      site_.DeleteTenant(Tenant(i));
    }
  }

  static std::string Tenant(int i) { return absl::StrCat("t", i); }

  static v1::CreateBatchRequest Request(const Strings& tenants) {
    v1::CreateBatchRequest request;
    request.mutable_spec()->set_store("main");
    request.mutable_spec()->set_at("latest");
    request.mutable_spec()->set_mode(v1::RESTORE_MODE_CREATE_MISSING);
    for (const std::string& tenant : tenants) {
      v1::BatchLineSpec* line = request.add_lines();
      line->set_line(request.lines_size());
      line->set_input(absl::StrCat("input of ", tenant));
      line->set_tenant(tenant);
    }
    return request;
  }

  WireError TryCreate(const v1::CreateBatchRequest& request) {
    v1::Batch batch;
    return ReadError(site_.batches().CreateBatch(NewContext().get(), request, &batch));
  }

  v1::Batch Create(const v1::CreateBatchRequest& request) {
    v1::Batch batch;
    EXPECT_EQ(ReasonOf(site_.batches().CreateBatch(NewContext().get(), request, &batch)), "OK");
    return batch;
  }

  // Watches the batch until the stream ends; returns what came last.
  v1::Batch Watch(const std::string& id) {
    v1::WatchBatchRequest watch;
    watch.set_batch(id);
    const auto context = NewContext();
    const auto stream = site_.batches().WatchBatch(context.get(), watch);
    v1::Batch batch;
    while (stream->Read(&batch)) {
    }
    EXPECT_EQ(ReasonOf(stream->Finish()), "OK");
    return batch;
  }

  v1::Batch Restore(const Strings& tenants) { return Watch(Create(Request(tenants)).id()); }

  int Batches() {
    v1::ListBatchesResponse response;
    EXPECT_EQ(ReasonOf(site_.batches().ListBatches(NewContext().get(), {}, &response)), "OK");
    return response.batches_size();
  }

  static v1::ControlBatchRequest Named(const std::string& batch) {
    v1::ControlBatchRequest request;
    request.set_batch(batch);
    return request;
  }

  RpcSite site_;
};

TEST_F(BatchServiceTest, AWatchEndsAfterTheFinalState) {
  const v1::Batch batch = Restore({"t0", "t1", "t2"});
  EXPECT_EQ(batch.state(), v1::BATCH_STATE_SUCCEEDED) << batch.DebugString();
  EXPECT_EQ(batch.lines().succeeded(), 3);
  EXPECT_EQ(batch.totals().inserted(), 6);
  EXPECT_TRUE(batch.has_end_time());
  const v1::Batch late = Watch(batch.id());
  EXPECT_EQ(late.SerializeAsString(), batch.SerializeAsString());
}

TEST_F(BatchServiceTest, AWatchOfADryRunEndsWithItsDigest) {
  v1::CreateBatchRequest request = Request({"t0", "t1"});
  request.set_dry_run(true);
  const v1::Batch plan = Watch(Create(request).id());
  EXPECT_EQ(plan.state(), v1::BATCH_STATE_PLANNED);
  EXPECT_EQ(plan.digest().size(), 64U);
  EXPECT_EQ(plan.totals().inserted(), 4);
  EXPECT_FALSE(plan.progress().has_eta_low());
  EXPECT_EQ(plan.eta_basis(), "no restore of store main has been measured yet");
  v1::CreateBatchRequest from_plan;
  from_plan.set_plan(plan.id());
  from_plan.set_plan_digest(plan.digest());
  EXPECT_EQ(Watch(Create(from_plan).id()).state(), v1::BATCH_STATE_SUCCEEDED);
  const v1::Batch measured = Watch(Create(request).id());
  EXPECT_TRUE(measured.progress().has_eta_high());
  EXPECT_EQ(measured.eta_basis(), "by the last 2 restores of store main");
  from_plan.set_plan_digest("zz");
  EXPECT_EQ(TryCreate(from_plan).field, "plan_digest");
  from_plan.set_plan_digest(plan.digest());
  from_plan.add_lines()->set_tenant("t0");
  EXPECT_EQ(TryCreate(from_plan).field, "plan");
  from_plan.clear_lines();
  from_plan.mutable_spec()->set_skip_invalid(true);
  from_plan.mutable_spec()->set_mode(v1::RESTORE_MODE_MIRROR);
  EXPECT_EQ(TryCreate(from_plan).field, "spec");
}

TEST_F(BatchServiceTest, ListsLinesPageByPage) {
  Strings tenants;
  for (int i = 0; i < kTenants; ++i) {
    tenants.push_back(Tenant(i));
  }
  v1::ListBatchLinesRequest request;
  request.set_batch(Restore(tenants).id());
  request.set_page_size(3);
  Strings seen;
  std::vector<int> sizes;
  v1::ListBatchLinesResponse page;
  do {
    request.set_page_token(page.next_page_token());
    ASSERT_EQ(ReasonOf(site_.batches().ListBatchLines(NewContext().get(), request, &page)), "OK");
    sizes.push_back(page.lines_size());
    for (const v1::BatchLine& line : page.lines()) {
      seen.push_back(line.tenant().tenant());
      EXPECT_EQ(line.state(), v1::BATCH_LINE_STATE_SUCCEEDED);
      EXPECT_TRUE(line.restores(0).has_certificate());
    }
  } while (!page.next_page_token().empty());
  EXPECT_EQ(seen, tenants);
  EXPECT_EQ(sizes, (std::vector<int>{3, 3, 2}));
}

TEST_F(BatchServiceTest, ListsTheLinesThatMatch) {
  v1::CreateBatchRequest create = Request({"t0", "t1", "t99"});
  create.mutable_spec()->set_skip_invalid(true);
  v1::ListBatchLinesRequest request;
  request.set_batch(Watch(Create(create).id()).id());
  const auto list = [&] {
    v1::ListBatchLinesResponse page;
    EXPECT_EQ(ReasonOf(site_.batches().ListBatchLines(NewContext().get(), request, &page)), "OK");
    Strings tenants;
    for (const v1::BatchLine& line : page.lines()) {
      tenants.push_back(line.tenant().tenant());
    }
    return tenants;
  };
  request.add_states(v1::BATCH_LINE_STATE_NOT_RESTORED);
  EXPECT_EQ(list(), Strings({"t99"}));
  request.clear_states();
  for (const char* text : {"t1", "input of t1", "tenant 1"}) {
    request.set_tenant(text);
    EXPECT_EQ(list(), Strings({"t1"})) << text;
  }
}

TEST_F(BatchServiceTest, ControlsAreAnsweredWithTheBatchAndMayBeRepeated) {
  const v1::Batch batch = Restore({"t0"});
  v1::Batch answer;
  EXPECT_EQ(ReasonOf(site_.batches().PauseBatch(NewContext().get(), Named(batch.id()), &answer)),
            "BATCH_ENDED");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(ReasonOf(site_.batches().CancelBatch(NewContext().get(), Named(batch.id()), &answer)),
              "OK");
    EXPECT_EQ(answer.state(), v1::BATCH_STATE_SUCCEEDED);
  }
  v1::UndoBatchRequest undo;
  undo.set_batch(batch.id());
  undo.set_request_id("undo it");
  Strings ids;
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(ReasonOf(site_.batches().UndoBatch(NewContext().get(), undo, &answer)), "OK");
    ids.push_back(answer.id());
  }
  EXPECT_EQ(ids[0], ids[1]);
  EXPECT_EQ(Watch(ids[0]).state(), v1::BATCH_STATE_SUCCEEDED);
}

TEST_F(BatchServiceTest, TheSameRequestIdAddsLinesOnce) {
  const v1::Batch batch = Restore({"t0"});
  v1::AddToBatchRequest add;
  add.set_batch(batch.id());
  add.add_lines()->set_tenant("t1");
  add.set_request_id("more");
  v1::Batch answer;
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(ReasonOf(site_.batches().AddToBatch(NewContext().get(), add, &answer)), "OK");
  }
  EXPECT_EQ(Watch(batch.id()).lines().total(), 2);
  add.set_request_id("again");
  EXPECT_EQ(ReasonOf(site_.batches().AddToBatch(NewContext().get(), add, &answer)),
            "BATCH_LINES_INVALID");
}

// --- What cannot be meant ---

TEST_F(BatchServiceTest, RefusesListsThatAreNoLists) {
  EXPECT_EQ(TryCreate(Request({})).reason, "INVALID_ARGUMENT");
  EXPECT_EQ(TryCreate(Request(Strings(100'000, "t0"))).reason, "TOO_LARGE");
  v1::CreateBatchRequest request = Request({"t0"});
  request.mutable_lines(0)->set_line(-1);
  EXPECT_EQ(TryCreate(request).field, "lines[0].line");
  request = Request({"t0"});
  request.mutable_lines(0)->set_input(std::string(64 << 10, 'x'));
  EXPECT_EQ(TryCreate(request).field, "lines[0].input");
  request = Request({"t0"});
  request.mutable_lines(0)->set_note(std::string(64 << 10, 'x'));
  EXPECT_EQ(TryCreate(request).field, "lines[0].note");
  request = Request({"t0", ""});
  EXPECT_EQ(TryCreate(request).field, "lines[1].tenant");
  for (const std::string& tenant : {std::string(64 << 10, 'x'), std::string("a\0b", 3)}) {
    request = Request({"t0"});
    request.mutable_lines(0)->set_tenant(tenant);
    EXPECT_EQ(TryCreate(request).reason, "BATCH_LINES_INVALID");
  }
  EXPECT_EQ(Batches(), 0);
}

TEST_F(BatchServiceTest, RefusesTextsThatAreNotUtf8) {
  EXPECT_EQ(TryCreate(Request({"t\xff"})).reason, "INVALID_ARGUMENT");
  v1::CreateBatchRequest request = Request({"t0"});
  request.set_reason("\xc3\x28");
  EXPECT_EQ(TryCreate(request).reason, "INVALID_ARGUMENT");
  EXPECT_EQ(Batches(), 0);
}

TEST_F(BatchServiceTest, RefusesSpecsThatAreNotWhole) {
  v1::CreateBatchRequest request = Request({"t0"});
  request.mutable_spec()->clear_store();
  EXPECT_EQ(TryCreate(request).field, "spec.where");
  request.mutable_spec()->set_group("nope");
  EXPECT_EQ(TryCreate(request).reason, "GROUP_NOT_FOUND");
  request = Request({"t0"});
  request.mutable_spec()->clear_at();
  EXPECT_EQ(TryCreate(request).field, "spec.at");
  request = Request({"t0"});
  request.set_reason(std::string(64 << 10, 'x'));
  EXPECT_EQ(TryCreate(request).field, "reason");
  request = Request({"t0"});
  request.set_reference(std::string(64 << 10, 'x'));
  EXPECT_EQ(TryCreate(request).field, "reference");
  EXPECT_EQ(Batches(), 0);
}

TEST_F(BatchServiceTest, SaysThatThereIsNoSuchBatch) {
  v1::Batch answer;
  v1::GetBatchRequest get;
  get.set_batch("bat-nope");
  EXPECT_EQ(ReasonOf(site_.batches().GetBatch(NewContext().get(), get, &answer)),
            "BATCH_NOT_FOUND");
  EXPECT_EQ(ReasonOf(site_.batches().RetryBatch(NewContext().get(), Named("bat-nope"), &answer)),
            "BATCH_NOT_FOUND");
  EXPECT_EQ(ReasonOf(site_.batches().RetryBatch(NewContext().get(), Named(""), &answer)),
            "INVALID_ARGUMENT");
  v1::ListBatchLinesRequest lines;
  lines.set_batch(Restore({"t0"}).id());
  lines.add_states(static_cast<v1::BatchLineState>(77));
  v1::ListBatchLinesResponse page;
  EXPECT_EQ(ReadError(site_.batches().ListBatchLines(NewContext().get(), lines, &page)).field,
            "states");
  lines.clear_states();
  lines.set_page_token("made up");
  EXPECT_EQ(ReasonOf(site_.batches().ListBatchLines(NewContext().get(), lines, &page)),
            "PAGE_TOKEN_INVALID");
}

}  // namespace
}  // namespace reinstate

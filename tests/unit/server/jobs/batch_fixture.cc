#include "tests/unit/server/jobs/batch_fixture.h"

#include <algorithm>
#include <thread>

#include "absl/strings/str_cat.h"
#include "server/snapshot/snapshotter.h"

namespace reinstate {

BatchFixture::BatchFixture()
    : main_(&site_.store(), &hooks_),
      wiki_({.id = "wiki-1",
             .relations = {{"drafts", Relation::kUnresolved}},
             .clock = &site_.clock()}) {
  options_.clock = &site_.clock();
  options_.shrink_watch = absl::ZeroDuration();
  options_.groups = {
      {.name = "site", .members = {{.store = "main"}, {.store = "wiki", .tenant = "w-{id}"}}}};
}

void BatchFixture::SetUp() {
  for (int i = 1; i <= kTenants; ++i) {
    const std::string tenant = absl::StrCat("t", i);
    site_.Put(tenant, "tenant", "name", absl::StrCat("Tenant ", i));
    for (int row = 0; row < 4 * i; ++row) {
      site_.Put(tenant, "issues", absl::StrCat(row), "payload");
      Put(&wiki_, absl::StrCat("w-", tenant), absl::StrCat(row), "page");
    }
  }
  Begin();
  TakeSnapshots();
}

void BatchFixture::Put(MemoryStore* store, const std::string& tenant, const std::string& key,
                       const std::string& payload) {
  const RecordWrite write{*TenantId::Parse(tenant), "issues", RowKey(key), payload};
  ASSERT_THAT(store->Write(std::span(&write, 1), /*sync=*/false), IsOk());
}

void BatchFixture::TakeSnapshots() {
  Snapshotter snapshotter(SnapshotterOptions(), &site_.history());
  for (const ServedStore* store : registry_->List()) {
    Snapshotter::Order order;
    order.lineage = store->lineage;
    order.store_identity = store->live->Identity()->id;
    ASSERT_THAT(snapshotter.Take(store->live, order), IsOk());
  }
  site_.clock().Advance(absl::Minutes(1));
}

void BatchFixture::End() {
  if (batches_ != nullptr) {
    batches_->Shutdown();
    restores_->Shutdown();
  }
  batches_.reset();
  restores_.reset();
}

void BatchFixture::Begin(int workers) {
  End();
  OpenState();
  ASSERT_THAT(registry_->Register(Served("wiki", &wiki_)), IsOk());
  if (real_engine_) {
    RestoreEngineOptions options;
    options.spill_path = folder_.path() + "/spill";
    options.clock = &site_.clock();
    owned_engine_ = *RestoreEngine::Create(options, &site_.history(), state_.get());
  } else {
    auto engine = std::make_unique<ScriptedEngine>(state_.get());
    engine_ = engine.get();
    for (const std::string& tenant : held_from_start_) {
      Hold(tenant);
    }
    owned_engine_ = std::move(engine);
  }
  restores_ =
      *RestoreManager::Create({.workers = workers,
                               .clock = &site_.clock(),
                               .observer = &ended_,
                               .hooks = restore_hooks_,
                               .hook_backoff = absl::Milliseconds(1)},
                              registry_.get(), &site_.history(), state_.get(), owned_engine_.get());
  batches_ = BatchManager::Create(options_, registry_.get(), &site_.history(), state_.get(),
                                  restores_.get());
  ASSERT_THAT(batches_->Prepare(), IsOk());
  ASSERT_THAT(restores_->Start(), IsOk());
  batches_->Start();
}

state::BatchOrder BatchFixture::Order() {
  state::BatchOrder order;
  order.set_store("main");
  order.set_at("latest");
  order.set_mode(state::MIRROR);
  *order.mutable_actor() = Ada();
  return order;
}

state::BatchOrder BatchFixture::GroupOrder() {
  state::BatchOrder order = Order();
  order.clear_store();
  order.set_group("site");
  return order;
}

std::vector<BatchLineOrder> BatchFixture::Lines(const std::vector<std::string>& tenants) {
  std::vector<BatchLineOrder> lines;
  for (const std::string& tenant : tenants) {
    lines.push_back({.line = static_cast<int64_t>(lines.size()) + 2,
                     .input = tenant,
                     .tenant = tenant,
                     .note = "",
                     .problem = std::nullopt});
  }
  return lines;
}

absl::StatusOr<BatchView> BatchFixture::TryCreate(const std::vector<std::string>& tenants,
                                                  const state::BatchOrder& order) {
  return batches_->CreateBatch(RequestKey(), order, Lines(tenants), /*validate_only=*/false);
}

std::string BatchFixture::Create(const std::vector<std::string>& tenants,
                                 const state::BatchOrder& order) {
  const auto view = TryCreate(tenants, order);
  EXPECT_THAT(view, IsOk());
  return view.ok() ? view->record.id() : "";
}

absl::StatusOr<BatchView> BatchFixture::TryUndo(const std::string& batch) {
  state::BatchOrder order;
  order.set_undo_of(batch);
  *order.mutable_actor() = Ada();
  return batches_->CreateUndo(RequestKey(), order, /*validate_only=*/false);
}

void BatchFixture::UndoRestore(const std::string& restore) {
  state::RestoreOrder order;
  order.set_undo_of(restore);
  *order.mutable_actor() = Ada();
  const auto undo = restores_->CreateUndo(RequestKey(), order, /*validate_only=*/false);
  ASSERT_THAT(undo, IsOk());
  const std::string id = undo->id();
  Await([&](auto on_change) { return restores_->WatchJob(id, std::move(on_change)); },
        [&] { return restores_->GetRestore(id)->state() == state::SUCCEEDED; });
}

void BatchFixture::AwaitBatch(const std::string& id,
                              const std::function<bool(const BatchView&)>& holds) {
  Await([&](auto on_change) { return batches_->Watch(id, std::move(on_change)); },
        [&] { return holds(Get(id)); });
}

void BatchFixture::AwaitState(const std::string& id, state::BatchState state) {
  AwaitBatch(id, [&](const BatchView& view) { return view.record.state() == state; });
}

void BatchFixture::AwaitCount(const std::string& id, BatchLineState state, int64_t lines) {
  AwaitBatch(id, [&](const BatchView& view) { return Count(view, state) == lines; });
}

void BatchFixture::PassTimeUntil(const std::string& id, state::BatchState state) {
  while (StateOf(id) != state) {
    site_.clock().Advance(absl::Milliseconds(1));
    std::this_thread::yield();
  }
}

BatchView BatchFixture::Get(const std::string& id) {
  const auto view = batches_->Get(id);
  EXPECT_THAT(view, IsOk());
  return view.value_or(BatchView());
}

std::vector<BatchLineView> BatchFixture::AllLines(const std::string& id) {
  const auto lines = batches_->Lines(id, {}, 0, 100'000);
  EXPECT_THAT(lines, IsOk());
  return lines.value_or(std::vector<BatchLineView>());
}

std::vector<std::string> BatchFixture::Restores() {
  std::vector<std::string> all;
  const auto restores = restores_->ListRestores({}, "", 100'000);
  EXPECT_THAT(restores, IsOk());
  for (const state::RestoreRecord& restore : *restores) {
    all.push_back(
        absl::StrCat(restore.order().tenant(), " ", state::JobState_Name(restore.state())));
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace reinstate

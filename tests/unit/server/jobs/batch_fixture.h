#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/jobs/batch_manager.h"
#include "server/jobs/restore_manager.h"
#include "storage/live/memory/memory_store.h"
#include "tests/support/wrapped_store.h"
#include "tests/unit/server/jobs/jobs_fixture.h"
#include "tests/unit/server/jobs/scripted_engine.h"

namespace reinstate {

// Batches over two stores: `main` has the tenants t1 to t6, each larger than the one before, and
// `wiki` has the same as w-t1 to w-t6; the group `site` spans both. Whose rows are in
// its table `drafts` is not known. Restores do what is written for
// their tenants, unless the test takes the real engine.
class BatchFixture : public JobsFixture {
 protected:
  static constexpr int kTenants = 6;

  BatchFixture();
  ~BatchFixture() override { End(); }

  void SetUp() override;
  LiveStore* live() override { return &main_; }

  // Begins a process, with the managers started; an earlier one is ended.
  void Begin(int workers = 2);
  void End();
  // What the next Begin takes.
  bool real_engine_ = false;
  BatchManagerOptions options_;
  std::vector<Hook> restore_hooks_;
  std::vector<std::string> held_from_start_;  // tenants, by the script of the next process
  EndedJobs ended_;                           // of all processes

  void TakeSnapshots();
  void Put(MemoryStore* store, const std::string& tenant, const std::string& key,
           const std::string& payload);

  static state::BatchOrder Order();
  static state::BatchOrder GroupOrder();
  // Numbered as lines of a file with a header.
  static std::vector<BatchLineOrder> Lines(const std::vector<std::string>& tenants);

  absl::StatusOr<BatchView> TryCreate(const std::vector<std::string>& tenants,
                                      const state::BatchOrder& order = Order());
  std::string Create(const std::vector<std::string>& tenants,
                     const state::BatchOrder& order = Order());
  absl::StatusOr<BatchView> TryUndo(const std::string& batch);
  // Undoes a single restore; blocks until that has ended.
  void UndoRestore(const std::string& restore);

  void AwaitBatch(const std::string& id, const std::function<bool(const BatchView&)>& holds);
  void AwaitState(const std::string& id, state::BatchState state);
  void AwaitCount(const std::string& id, BatchLineState state, int64_t lines);
  // While the clock goes by.
  void PassTimeUntil(const std::string& id, state::BatchState state);

  state::BatchState StateOf(const std::string& id) { return Get(id).record.state(); }
  BatchView Get(const std::string& id);
  static int64_t Count(const BatchView& view, BatchLineState state) {
    return view.counts[static_cast<size_t>(state)];
  }
  std::vector<BatchLineView> AllLines(const std::string& id);
  // "t1 SUCCEEDED" for each restore that is stored, sorted.
  std::vector<std::string> Restores();

  void Write(const std::string& tenant, ScriptedEngine::Script script) {
    engine_->Write(tenant, script);
  }
  void Hold(const std::string& tenant) { Write(tenant, {.hold = true}); }

  StoreHooks hooks_;  // of main
  WrappedStore main_;
  MemoryStore wiki_;
  ScriptedEngine* engine_ = nullptr;
  std::unique_ptr<RestoreEngine> owned_engine_;
  std::unique_ptr<RestoreManager> restores_;
  std::unique_ptr<BatchManager> batches_;
};

}  // namespace reinstate

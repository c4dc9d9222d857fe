#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/jobs/job_observer.h"
#include "server/jobs/store_registry.h"
#include "storage/base/mutex.h"
#include "storage/state/state_store.h"
#include "tests/support/small_site.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace reinstate {

// Keeps what it was told, in the order of the tellings. Thread-safe.
class EndedJobs final : public JobObserver {
 public:
  // Called with each restore that has ended, on the thread that ran it. Set before there are any.
  std::function<void(const state::RestoreRecord& restore)> on_restore;

  void RestoreEnded(const state::RestoreRecord& restore) override {
    Add(restore.order().tenant() + " " + state::JobState_Name(restore.state()));
    if (on_restore) {
      on_restore(restore);
    }
  }
  void HistoryJobEnded(const state::HistoryJob& job) override {
    Add(state::JobKind_Name(job.kind()) + " " + state::JobState_Name(job.state()));
  }

  void RestoresHeldBack(const std::string& store, const std::string& reason,
                        absl::Duration time) override {
    MutexLock lock(&mu_);
    held_back_[store + " " + reason] += time;
  }

  std::vector<std::string> all() const {
    MutexLock lock(&mu_);
    return ended_;
  }
  // By store and reason.
  std::map<std::string, absl::Duration> held_back() const {
    MutexLock lock(&mu_);
    return held_back_;
  }

 private:
  void Add(std::string what) {
    MutexLock lock(&mu_);
    ended_.push_back(std::move(what));
  }

  mutable Mutex mu_;
  std::vector<std::string> ended_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, absl::Duration> held_back_ ABSL_GUARDED_BY(mu_);
};

// A small site with a state and a registry that serves its store as `main`.
class JobsFixture : public testing::Test {
 protected:
  JobsFixture() { OpenState(); }

  // Opens the state anew, as the next process does.
  void OpenState() {
    registry_.reset();
    state_.reset();
    StateOptions options;
    options.path = folder_.path() + "/state";
    options.clock = &site_.clock();
    options.reserve_bytes = 0;
    options.faults = &state_faults_;
    auto state = StateStore::Open(options);
    ASSERT_TRUE(state.ok()) << state.status();
    state_ = *std::move(state);
    registry_ = std::make_unique<StoreRegistry>(&site_.history(), state_.get());
    ASSERT_THAT(registry_->Register(Served("main", live())), IsOk());
  }

  virtual LiveStore* live() { return &site_.store(); }

  static ServedStore Served(const std::string& name, LiveStore* live, int limit = 4) {
    ServedStore store;
    store.name = name;
    store.adapter = "embedded";
    store.live = live;
    store.max_running_restores = limit;
    return store;
  }

  static state::Actor Person(const std::string& name) {
    state::Actor actor;
    actor.set_name(name);
    return actor;
  }
  static state::Actor Ada() { return Person("ada"); }

  // The last audit entry with this action.
  state::AuditEntry Audited(const std::string& action) const {
    const auto entries = state_->ListAudit(0, 1000);
    EXPECT_THAT(entries, IsOk());
    for (auto entry = entries->rbegin(); entry != entries->rend(); ++entry) {
      if (entry->action() == action) {
        return *entry;
      }
    }
    ADD_FAILURE() << "nothing was audited as " << action;
    return state::AuditEntry();
  }

  // Blocks until `holds`, which is looked at after each change of the job. `watch` is WatchJob.
  static void Await(
      const std::function<std::shared_ptr<void>(std::function<void()> on_change)>& watch,
      const std::function<bool()>& holds) {
    Mutex mu;
    CondVar changed;
    int changes = 0;
    const auto guard = watch([&] {
      MutexLock lock(&mu);
      ++changes;
      changed.SignalAll();
    });
    for (int seen = 0; !holds();) {
      MutexLock lock(&mu);
      while (changes == seen) {
        if (!changed.WaitFor(&mu, absl::Seconds(60))) {
          ADD_FAILURE() << "nothing changed for a long time";
          return;
        }
      }
      seen = changes;
    }
  }

  SmallSite site_;
  TempDir folder_;
  FaultPoints state_faults_;
  std::unique_ptr<StateStore> state_;
  std::unique_ptr<StoreRegistry> registry_;
};

}  // namespace reinstate

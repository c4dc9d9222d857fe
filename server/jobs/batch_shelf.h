#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/jobs/batch_board.h"
#include "server/jobs/batch_outlook.h"
#include "server/jobs/batch_view.h"
#include "server/jobs/job_observer.h"
#include "server/jobs/job_watchers.h"
#include "server/jobs/restore_manager.h"
#include "server/jobs/restore_times.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"
#include "storage/state/state_store.h"

namespace reinstate {

// The batches that somebody looks at or that have not ended, in memory, in step with their
// restores: who watches a batch costs the state nothing.
//
// Thread-safe. Is told of restores and plans as their JobObserver; borrows what it is given.
class BatchShelf final : public JobObserver {
 public:
  // `on_due` is called when a restore or plan of a batch has ended, or waits for others of it;
  // quick, must not call back in.
  BatchShelf(const Clock* clock, StateStore* state, const RestoreManager* restores,
             const RestoreTimes* times, JobWatchers* watchers,
             std::function<void(const std::string& batch)> on_due)
      : clock_(clock),
        state_(state),
        restores_(restores),
        outlook_(clock, restores, times),
        watchers_(watchers),
        on_due_(std::move(on_due)) {}

  // Takes the batch from the state, unless it is here already. BATCH_NOT_FOUND.
  absl::Status Load(const std::string& id);

  // As it is stored now, with new lines and those that replace one. A new one has no revision yet.
  void Put(const state::BatchRecord& record, const std::vector<state::BatchLine>& lines);

  // Calls `look` on a batch that is here; it must be quick and not call back in.
  using Look = std::function<void(const state::BatchRecord&, const BatchBoard&)>;
  void With(const std::string& id, const Look& look) const;

  // Of a batch that is here: its restores that have not ended; a dry run has none, but plans.
  std::vector<std::string> Unfinished(const std::string& id) const;
  std::vector<std::string> UnfinishedPlans(const std::string& id) const;
  // As Unfinished, without those that wait for others of the batch, or to be looked at.
  std::vector<std::string> Runnable(const std::string& id) const;
  // As Unfinished, only those that no worker is at.
  std::vector<std::string> NotRunning(const std::string& id) const;
  // As Unfinished, only those that wait to be looked at.
  std::vector<std::string> WaitingForLook(const std::string& id) const;
  // Of a batch that is here: its lines, as they are stored.
  std::vector<state::BatchLine> Records(const std::string& id) const;

  // BATCH_NOT_FOUND, as Load.
  absl::StatusOr<BatchView> View(const std::string& id);
  absl::StatusOr<BatchStamp> Stamp(const std::string& id);
  absl::StatusOr<std::vector<BatchLineView>> Lines(const std::string& id,
                                                   const BatchLineFilter& filter, int64_t from,
                                                   int64_t limit);

  void RestoreEnded(const state::RestoreRecord& restore) override;
  void RestoreWaits(const state::RestoreRecord& restore) override;
  void RestoreChanged(const std::string& restore, bool running) override;
  void HookRuns(const std::string& restore, const std::optional<HookAttempt>& attempt) override;
  void HooksBeginAgain(const state::RestoreRecord& restore) override;
  void HooksEnded(const state::RestoreRecord& restore) override { RestoreEnded(restore); }
  void PlanEnded(const state::PlanRecord& plan) override;
  void HistoryJobEnded(const state::HistoryJob& /*job*/) override {}

 private:
  struct Batch {
    state::BatchRecord record;
    BatchBoard board;
    absl::Time running_since = absl::InfinitePast();  // for as long as it is RUNNING
    bool is_whole = false;  // what became of its restores has been read as well
  };

  using Choice = std::function<bool(const state::BatchRecord&, const BatchBoard::Line&,
                                    const BatchBoard::Target&)>;
  // As Unfinished, only those for which `choice` is true.
  std::vector<std::string> UnfinishedThat(const std::string& id, const Choice& choice) const;

  Batch* Find(const std::string& id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PutLocked(const state::BatchRecord& record, const std::vector<state::BatchLine>& lines)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DropOld() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status LoadEnds(const std::string& id, const std::vector<state::BatchLine>& lines);
  absl::Status LoadEnd(const std::string& id, const std::string& restore);
  // Calls `change` on the board that has `restore`; returns its batch, or nothing.
  std::string Change(const std::string& restore, const std::function<void(BatchBoard*)>& change);
  // With `due` something may be next to do in the batch.
  void Tell(const std::string& batch, bool due);
  BatchView Overview(const Batch& batch) const;
  void AddPresent(BatchLineView* line) const;
  // Adds what runs to the progress, and how fast all goes on, with what `recent` says of what has
  // ended.
  void AddRunning(RecentRate::Done recent, BatchView* view) const;

  const Clock* const clock_;
  StateStore* const state_;
  const RestoreManager* const restores_;
  const BatchOutlook outlook_;
  JobWatchers* const watchers_;
  const std::function<void(const std::string& batch)> on_due_;
  mutable Mutex mu_;
  std::map<std::string, std::unique_ptr<Batch>> batches_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::string> batch_of_ ABSL_GUARDED_BY(mu_);  // by restore or plan
};

}  // namespace reinstate

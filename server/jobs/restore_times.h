#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/jobs/batch_eta.h"
#include "server/jobs/job_observer.h"
#include "storage/base/mutex.h"
#include "storage/state/state_store.h"

namespace reinstate {

// What earlier restores took: the last ones of each store that have ended well, restores and undos
// apart. A batch of which none has ended yet is expected to take as long as they did.
//
// Thread-safe. Kept in memory, of bounded size: the state is read once.
class RestoreTimes final : public JobObserver {
 public:
  // Reads the last ones that are stored. Once, before it is told of any. Errors of
  // StateStore::ListRestores.
  absl::Status Load(const StateStore& state);

  struct Earlier {
    std::vector<BatchEta::Sample> samples;
    std::vector<std::string> measured;    // the stores of the samples
    std::vector<std::string> unmeasured;  // the others that were asked for
  };
  // Of restores in `stores`, or of undos, but for those of the batch `but_of`. Quick.
  Earlier Of(const std::vector<std::string>& stores, bool undo, const std::string& but_of) const;

  void RestoreEnded(const state::RestoreRecord& restore) override;
  void HistoryJobEnded(const state::HistoryJob& /*job*/) override {}

 private:
  struct Run {
    BatchEta::Sample sample;
    std::string batch;
  };
  using StoreAndUndo = std::pair<std::string, bool>;

  mutable Mutex mu_;
  std::map<StoreAndUndo, std::deque<Run>> runs_ ABSL_GUARDED_BY(mu_);  // the oldest first
};

// What an expectation goes by, for people: "by the last 40 restores of store main"; with stores of
// which none was measured, if there are any. Not of no samples.
std::string BasisText(const RestoreTimes::Earlier& earlier, bool undo);

// "no restore of store main has been measured yet".
std::string UnmeasuredText(const RestoreTimes::Earlier& earlier, bool undo);

}  // namespace reinstate

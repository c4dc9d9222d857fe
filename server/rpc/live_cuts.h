#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/base/id_generator.h"
#include "storage/base/mutex.h"
#include "storage/base/periodic_thread.h"
#include "storage/live/cut.h"

namespace reinstate {

// The cuts that clients of LiveStoreService have open. One that nobody has asked for during its
// lease is closed.
//
// Thread-safe. Outlives every use that it gave.
class LiveCuts {
 private:
  struct Entry;

 public:
  // Lets a call use a cut: while it lives, the cut exists, though it may have been given up.
  class Use {
   public:
    Use(LiveCuts* cuts, std::shared_ptr<Entry> entry) : cuts_(cuts), entry_(std::move(entry)) {}

    Cut* cut() const;

    // Runs `work`, during which the lease does not run out; its time counts anew from the end.
    // SESSION_LOST if the cut has been given up.
    template <typename Work>
    auto Run(Work work) const -> decltype(work()) {
      if (absl::Status begun = cuts_->BeginWork(entry_.get()); !begun.ok()) {
        return begun;
      }
      auto result = work();
      cuts_->EndWork(entry_.get());
      return result;
    }

   private:
    LiveCuts* cuts_;
    std::shared_ptr<Entry> entry_;
  };

  explicit LiveCuts(size_t max_cuts);
  ~LiveCuts();
  LiveCuts(const LiveCuts&) = delete;
  LiveCuts& operator=(const LiveCuts&) = delete;

  // Whether there is room for another. UNAVAILABLE.
  absl::Status CheckRoom();

  // Takes over a cut. Returns the name by which clients know it. UNAVAILABLE if there are too many.
  absl::StatusOr<std::string> Add(std::unique_ptr<Cut> cut, absl::Duration lease);

  // SESSION_LOST if there is no such cut (any more). Counts as a sign of life.
  absl::StatusOr<Use> Find(const std::string& name);

  // Gives the cut up. It is closed once no call uses it.
  void Close(const std::string& name);

  void CloseAll();

 private:
  absl::Status BeginWork(Entry* entry);
  void EndWork(Entry* entry);
  void CloseExpired();

  const size_t max_cuts_;
  IdGenerator ids_;
  Mutex mu_;
  std::map<std::string, std::shared_ptr<Entry>> cuts_ ABSL_GUARDED_BY(mu_);
  PeriodicThread expiry_;
};

}  // namespace reinstate

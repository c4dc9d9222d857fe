#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/support/daemon_batches.h"
#include "tests/support/daemon_world.h"
#include "tests/support/lost_tenants.h"

namespace reinstate {

// Kills the daemon again and again while it puts lost tenants back by a batch, or takes that back
// by the batch that undoes it, in turn. After each kill every tenant must be as before or as after;
// the next start goes on by itself; and what has ended was done to each tenant once. What is not so
// fails the test, fatally where nothing can follow. Borrows what it is given.
class BatchKiller {
 public:
  BatchKiller(DaemonWorld* world, LostTenants* lost)
      : world_(world), batches_(world), lost_(lost) {}

  // Kills the daemon at this hit of a fault point while a batch is under way.
  void KillAt(const std::string& place, int hit);

  // Kills it so long after its start.
  void KillAfter(absl::Duration delay);

  // Lets the batch that is under way end.
  void Finish();

  // Kills that found some parts restored and others not, none of it mixed.
  int kills_in_the_middle() const { return kills_in_the_middle_; }

 private:
  bool Begin(v1::Batch* batch);
  bool Tend();
  void ExpectDone(const v1::Batch& batch);
  void LookAtRest(const std::string& when);

  DaemonWorld* const world_;
  DaemonBatches batches_;
  LostTenants* const lost_;
  bool restoring_ = true;             // or undoing the batch before
  std::vector<std::string> ordered_;  // batches that have ended
  int kills_in_the_middle_ = 0;
};

}  // namespace reinstate

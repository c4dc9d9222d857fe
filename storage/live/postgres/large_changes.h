#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "storage/base/mutex.h"
#include "storage/live/postgres/pg_connection.h"

namespace reinstate {

// Lets one session of a store at a time keep many changes in memory; the others wait for it. A
// session has it or waits for it while it keeps little, so that no two can wait for each other
// here. Thread-safe. Outlives what it is lent to.
class LargeChanges {
 public:
  LargeChanges() = default;
  LargeChanges(const LargeChanges&) = delete;
  LargeChanges& operator=(const LargeChanges&) = delete;

  // Waits until it is the caller's, who gives it back with Return. UNAVAILABLE if that takes longer
  // than `patience`; CANCELLED once `connection`, whose session waits, is.
  absl::Status Borrow(absl::Duration patience, const PgConnection& connection);
  void Return();

 private:
  Mutex mu_;
  CondVar returned_;
  bool lent_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace reinstate

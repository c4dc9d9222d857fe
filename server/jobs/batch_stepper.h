#pragma once

#include <map>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/jobs/batch_course.h"
#include "server/jobs/batch_desk.h"
#include "server/jobs/batch_planning.h"
#include "server/jobs/shrink_check.h"
#include "server/jobs/store_registry.h"
#include "storage/base/mutex.h"

namespace reinstate {

// Does with each batch what comes next, on a thread of its own: plans a dry run, looks whether
// tenants still lose rows, goes on to the next store of a group, cancels, ends. A step looks at
// what is so, does one thing, and is durable; it may be repeated, so that a restart just goes on.
//
// Thread-safe; borrows what it is given.
class BatchStepper {
 public:
  BatchStepper(const StoreRegistry* stores, const BatchDesk* desk);
  ~BatchStepper();  // as Stop
  BatchStepper(const BatchStepper&) = delete;
  BatchStepper& operator=(const BatchStepper&) = delete;

  // Once.
  void Start();
  // Waits for the step under way. May be repeated.
  void Stop();

  // Something of the batch has changed: look at it. Quick.
  void Wake(const std::string& batch);

 private:
  void Run();
  void WakeAt(const std::string& batch, absl::Time time);
  absl::Status Step(const std::string& id);
  absl::Status StepPlanning(const std::string& id);
  absl::Status LookIfTheyShrink(const std::string& id);

  const BatchDesk* const desk_;
  BatchPlanning planning_;  // this and the next two: for the thread only
  ShrinkCheck shrink_check_;
  BatchCourse course_;

  Mutex mu_;
  CondVar changed_;
  std::map<std::string, absl::Time> due_ ABSL_GUARDED_BY(mu_);  // batch -> when to look at it
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace reinstate

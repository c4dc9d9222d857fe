#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "server/restore/restore_engine.h"
#include "storage/base/error.h"
#include "storage/base/mutex.h"

namespace reinstate {

// An engine that touches no rows: each tenant's restores do what the test has written for it. It
// records outcomes in the state as the real one does. Thread-safe.
class ScriptedEngine final : public RestoreEngine {
 public:
  struct Script {
    bool hold = false;  // goes on only after Release
    state::JobState end = state::SUCCEEDED;
    int unrecorded = 0;  // so many runs fail without recording anything first
    Reason unrecorded_for = Reason::kNoSpace;
    std::string needs;                // fails as KEY_CONFLICT until this tenant has been restored
    bool intent_before_hold = false;  // as one that is committing: no cancel, no stop
  };

  explicit ScriptedEngine(StateStore* state) : state_(state) {}

  void Write(const std::string& tenant, Script script);
  void Release(const std::string& tenant);

  // Blocks until that many runs have begun in all.
  void AwaitBegun(size_t runs);

  std::vector<std::string> begun() const;  // tenants
  // The same of plans.
  void AwaitPlanned(size_t plans);
  std::vector<std::string> planned() const;
  int most_at_once() const;

  absl::StatusOr<state::PlanSummary> Plan(const state::RestoreOrder& order, LiveStore* store,
                                          RunControl* control) override;
  absl::StatusOr<state::RestoreRecord> Run(const std::string& id, LiveStore* store,
                                           RunControl* control) override;
  absl::StatusOr<state::RestoreRecord> Resolve(const std::string& id, bool committed,
                                               const state::Actor& actor,
                                               const std::string& reason) override;

 private:
  absl::Status Hold(const std::string& tenant, RunControl* control);
  // `started` is real time, as is the end.
  absl::StatusOr<state::RestoreRecord> End(const std::string& id, state::JobState state,
                                           absl::Time started, const std::string& needs);
  void Leave();

  StateStore* const state_;
  mutable Mutex mu_;
  CondVar changed_;
  std::map<std::string, Script> scripts_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> released_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> restored_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> begun_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> planned_ ABSL_GUARDED_BY(mu_);
  int running_ ABSL_GUARDED_BY(mu_) = 0;
  int most_at_once_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace reinstate

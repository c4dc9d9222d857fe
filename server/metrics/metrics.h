#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/jobs/job_observer.h"
#include "server/rpc/call_observer.h"

namespace prometheus {
class Collectable;
}  // namespace prometheus

namespace reinstate {

// Counts what happens in the daemon: restores, their hooks, jobs of the history and calls, by store
// and outcome.
// Owns the registry that holds the counts. Series are never dropped, so that no label may grow with
// the data: never a tenant, an id, or a text of a client.
//
// Thread-safe.
class Metrics final : public JobObserver, public CallObserver {
 public:
  // The series of `stores`, and of the hooks with these names, begin at 0, so that the first event
  // is a change that alerts can see.
  Metrics(const std::string& version, const std::vector<std::string>& stores,
          const std::vector<std::string>& hooks);
  ~Metrics() override;
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void RestoreEnded(const state::RestoreRecord& restore) override;
  void HookRan(const state::HookOutcome& outcome, absl::Duration time) override;
  void RestoresHeldBack(const std::string& store, const std::string& reason,
                        absl::Duration time) override;
  void HistoryJobEnded(const state::HistoryJob& job) override;
  void CallEnded(const EndedCall& call) override;

  // To be given to a MetricsServer.
  std::shared_ptr<prometheus::Collectable> registry() const;

 private:
  struct Families;
  const std::unique_ptr<Families> families_;
};

}  // namespace reinstate

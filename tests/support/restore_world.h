#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/restore/restore_engine.h"
#include "storage/base/fault_points.h"
#include "storage/history/history.h"
#include "storage/live/live_store.h"
#include "storage/live/record_store.h"
#include "storage/state/state_store.h"
#include "tests/support/temp_dir.h"

namespace reinstate {

// What a store should hold, kept by the test itself: tenant -> table -> key -> payload. No empty
// maps.
using TableModel = std::map<std::string, std::string>;
using TenantModel = std::map<std::string, TableModel>;
using StoreModel = std::map<std::string, TenantModel>;

// A live store, a history, a state and an engine over them, in a temporary folder. All real; only
// the live store is given by the test. Failures of what a test takes for granted end the test.
class RestoreWorld {
 public:
  // `store` and `records` are the two sides of one store, borrowed. A restore waits for its
  // tenant's lock for `lock_timeout`.
  RestoreWorld(LiveStore* store, RecordStore* records,
               absl::Duration lock_timeout = absl::Seconds(2));

  LiveStore* store() { return store_; }
  History* history() { return history_.get(); }
  StateStore* state() { return state_.get(); }
  RestoreEngine* engine() { return engine_.get(); }
  FaultPoints* faults() { return &faults_; }
  const RestoreEngineOptions& engine_options() const { return options_; }

  // Binds the store's name to this identity; at first it is that of the store.
  void Bind(const std::string& identity);

  // As the application does.
  void Put(const std::string& tenant, const std::string& table, const std::string& key,
           const std::string& payload);
  void Delete(const std::string& tenant, const std::string& table, const std::string& key);
  void DeleteTenant(const std::string& tenant);

  // Writes all of `model`.
  void Load(const StoreModel& model);

  // What the application sees of these tenants, in these tables.
  StoreModel Read(const std::vector<std::string>& tenants, const std::vector<std::string>& tables);

  SnapshotInfo TakeSnapshot();

  // An order with the given point, to be changed at will.
  static state::RestoreOrder Order(const std::string& tenant, const SnapshotInfo& point,
                                   state::Mode mode);

  // Stores `order` and returns the id of its restore.
  std::string Create(const state::RestoreOrder& order);

  // Creates and runs, with `control` if given.
  state::RestoreRecord Restore(const state::RestoreOrder& order, RunControl* control = nullptr);
  state::RestoreRecord Run(const std::string& id, RunControl* control = nullptr);

  // Undoes a restore; `skip_conflicts` as in the order.
  state::RestoreRecord Undo(const state::RestoreRecord& restore, bool skip_conflicts = false);

 private:
  TempDir folder_;
  FaultPoints faults_;
  LiveStore* const store_;
  RecordStore* const records_;
  RestoreEngineOptions options_;
  std::unique_ptr<StateStore> state_;
  std::unique_ptr<History> history_;
  std::unique_ptr<RestoreEngine> engine_;
  uint32_t lineage_ = 0;
  int created_ = 0;
};

// What `live` becomes by a restore to `at_point`, by the design's table of modes.
TenantModel ModelAfter(const TenantModel& live, const TenantModel& at_point, state::Mode mode);

}  // namespace reinstate

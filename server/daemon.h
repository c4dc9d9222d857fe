#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/config/daemon_config.h"
#include "storage/base/fault_points.h"
#include "storage/live/live_store.h"
#include "storage/live/record_store.h"

namespace reinstate {

// A store as its adapter opened it.
struct OpenedStore {
  std::unique_ptr<LiveStore> live;
  RecordStore* records = nullptr;  // the same object's; null unless embedded
};

// What the daemon is made from.
struct DaemonOptions {
  DaemonConfig config;          // complete
  std::string version;          // of the program, e.g. "0.1.0"
  bool accept_history = false;  // go on with a history that does not fit the state
  FaultPoints* faults = nullptr;

  // Opens one store of config.stores: the daemon itself knows no adapter.
  std::function<absl::StatusOr<OpenedStore>(const StoreConfig& store)> open_store;
};

// The running daemon: state, history, stores, jobs and the server, in the order in which they
// depend on each other.
//
// If the history does not fit the state (one of them was lost or is an older copy), it serves what
// can be read, refuses what would write into the history, and says why, until it is started with
// accept_history.
class Daemon {
 public:
  // Opens everything, goes on with what an earlier process left, and serves. Writes where to
  // <data>/reinstated.address once it does. DATA_DIRECTORY_IN_USE if another daemon has the data;
  // other errors of StateStore::Open, History::Open, open_store and RpcServer::Start.
  static absl::StatusOr<std::unique_ptr<Daemon>> Start(DaemonOptions options);

  virtual ~Daemon() = default;  // as Shutdown

  // Where it listens.
  virtual const std::vector<std::string>& addresses() const = 0;

  // Refuses new calls, lets restores that are committing finish and rolls the others back (they go
  // on at the next start), ends all calls, and closes everything. May be repeated.
  virtual void Shutdown() = 0;
};

}  // namespace reinstate

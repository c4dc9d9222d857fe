#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/base/clock.h"
#include "storage/base/fault_points.h"
#include "storage/live/live_store.h"
#include "storage/live/record_store.h"

namespace reinstate {

// A store as the suite tries it: what the engine sees, and what applications do with it behind the
// engine's back. Holds whatever is needed for that (a server, a connection).
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;

  virtual LiveStore* live() = 0;

  // Writes past the adapter, as the application does. A table exists once it was written to.
  virtual RecordStore* application() = 0;
};

struct StoreSetup {
  std::string folder;  // empty and the store's own; the same one is given to reopen a store
  FaultPoints* faults = nullptr;
  const Clock* clock = Clock::System();
};

// An adapter of the suite: how to open a store through it, and what it must be capable of. The
// latter is pinned here, so that a capability that is lost fails instead of being left out.
struct Adapter {
  std::string name;  // letters, digits and underscores
  StoreCapabilities capabilities;
  bool outlives_process = false;  // what was committed is there after a kill -9 and opening again
  bool any_bytes = true;          // keys and payloads may be any bytes, not only text

  bool goes_by_clock = true;  // cuts have the time of setup.clock, not of a clock of its own

  // Where a process is made to crash while it restores, as FaultPoints::ArmFromText has it.
  std::vector<std::string> crashes;

  // If set: starts what the store needs besides its folder, for processes that are killed. Called
  // in one that stays, before they are started.
  std::function<absl::Status(const StoreSetup&)> prepare = nullptr;

  // Opens the store in setup.folder, or makes it. The store goes by setup.clock, and hits
  // `live.before_commit` and `live.after_commit` of setup.faults (MemoryStoreOptions says what they
  // mean).
  std::function<absl::StatusOr<std::unique_ptr<StoreUnderTest>>(const StoreSetup&)> open;
};

inline std::ostream& operator<<(std::ostream& out, const Adapter& adapter) {
  return out << adapter.name;
}

// One function an adapter, each in a file of its own.
Adapter MemoryAdapter();              // resolves tokens; tenants are apart
Adapter SpanningMemoryAdapter();      // does not; a key is one tenant's or another's
Adapter EmbeddedAdapter();            // small changes are batches
Adapter EmbeddedGenerationAdapter();  // every change builds a generation
Adapter PostgresAdapter();            // over a server that is started for it
Adapter PostgresPathAdapter();        // the same, where rows refer to what says whose they are

// All of those that the program tries: a new adapter is added to local_adapters.cc, or to
// remote_adapters.cc if it is reached over the network.
std::vector<Adapter> AllAdapters();

// The adapter of that name; aborts if there is none.
Adapter AdapterNamed(const std::string& name);

}  // namespace reinstate

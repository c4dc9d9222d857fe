#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/fault_points.h"
#include "storage/state/change_set.h"
#include "storage/state/state.pb.h"
#include "storage/state/state_keys.h"
#include "storage/state/state_store.h"

namespace reinstate {

// The RocksDB database beneath a StateStore: opens and checks it, reads records, writes changes.
//
// Every change is one synced batch that also holds the change's number and the counts of all
// families. Once the batch is synced its number is recorded in a file of its own (AcknowledgedFile)
// before the change is acknowledged. When it opens, the database is first opened read-only, so that
// nothing is lost by looking, and must have at least the recorded number and exactly the counted
// records.
//
// Reads are thread-safe; Commit and meta are for one thread at a time.
class StateDatabase {
 public:
  // Called with each record of a scan; false ends it.
  using Visitor = std::function<absl::StatusOr<bool>(std::string_view key, std::string_view value)>;

  enum class Order { kAscending, kDescending };

  // Errors as StateStore::Open.
  static absl::StatusOr<std::unique_ptr<StateDatabase>> Open(const StateOptions& options);

  virtual ~StateDatabase() = default;

  virtual bool created() const = 0;

  // Of the last committed change.
  virtual const state::Meta& meta() const = 0;

  // Whether there is a record; `*value` is parsed from it. CORRUPT if it cannot be.
  virtual absl::StatusOr<bool> Get(StateFamily family, const std::string& key,
                                   google::protobuf::MessageLite* value) const = 0;

  // Visits the records of a family in the order of keys: ascending from `from` on, descending from
  // the last one before `from`; an empty `from` begins at the respective end. One consistent view.
  virtual absl::Status Scan(StateFamily family, Order order, const std::string& from,
                            const Visitor& visit) const = 0;

  // Writes `change`. When it returns OK it is durable; otherwise nothing has changed, though after
  // an I/O error a restart may find it done. On a full disk the reserve is given up and the write
  // tried again; then NO_SPACE.
  virtual absl::Status Commit(const ChangeSet& change) = 0;

  // Adds one record of an uncounted family without syncing it; the next Commit makes it durable.
  // Thread-safe. NO_SPACE: the reserve is not for this.
  virtual absl::Status AppendUnsynced(StateFamily family, const std::string& key,
                                      std::string_view value) = 0;

  // Sets the reserve aside again after it was given up. NO_SPACE. As Commit, one thread at a time.
  virtual absl::Status RefillReserve() = 0;
};

}  // namespace reinstate

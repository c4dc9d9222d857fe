#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/state/change_set.h"
#include "storage/state/state_database.h"
#include "storage/state/state_store.h"

namespace reinstate {

// What became of calls with a request id, for 30 days. Thread-safe; that a call takes effect once
// needs Find and the commit of what Add adds to be one step for others, which is up to the caller.
// Borrows the database.
class RequestLog {
 public:
  static constexpr absl::Duration kKept = absl::Hours(24 * 30);

  explicit RequestLog(const StateDatabase* database) : database_(database) {}

  // The result of the same call before, or nullopt (also for an empty id). REQUEST_ID_REUSED.
  absl::StatusOr<std::optional<std::string>> Find(const RequestKey& request, absl::Time now) const;

  // Adds the call's result to `change`. Nothing for an empty id.
  void Add(const RequestKey& request, const std::string& result, absl::Time now,
           ChangeSet* change) const;

  // Adds the removal of all that is older than kKept.
  absl::Status RemoveExpired(absl::Time now, ChangeSet* change) const;

 private:
  const StateDatabase* const database_;
};

}  // namespace reinstate

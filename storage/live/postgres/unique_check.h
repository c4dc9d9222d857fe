#pragma once

#include <vector>

#include "absl/status/status.h"
#include "storage/live/postgres/check_batches.h"
#include "storage/live/postgres/ownership.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

// A deferrable unique constraint of a table that a transaction wrote to. All borrowed.
struct DeferredUnique {
  const PgTenantMap* map = nullptr;
  const PgTable* table = nullptr;
  const PgUnique* facts = nullptr;  // by columns
  const TenantId* tenant = nullptr;
};

// Waits until no other session is between its look at one of these tables and the end of its
// transaction, and makes the others wait for the end of ours, on whose connection this is. Without,
// two sessions could write a value each that the other one does not see. LIVE_CHANGED after
// the lock time-out of the connection.
absl::Status TakeTurns(const std::vector<const PgTable*>& tables, PgConnection* main);

// Whether no values of the constraint are there twice, since the server does not look while
// triggers are silent. A transaction that wrote to the table before we did may not have seen ours,
// so that it must have ended before the second connection looks. Those of other sessions of ours
// are not waited for: they look themselves, one after the other (TakeTurns).
//
// KEY_CONFLICT if some are; LIVE_CHANGED if it is because of what others committed meanwhile, or if
// those that write to the table do not end in connections.patience.
//
// To be called after TakeTurns.
absl::Status CheckUnique(const DeferredUnique& unique, const CheckConnections& connections);

}  // namespace reinstate

#pragma once

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

// Whether no values of the constraint are there twice, since the server does not look while
// triggers are silent. A transaction that wrote to the table before we did may not have seen ours,
// so that it must have ended before the second connection looks.
//
// KEY_CONFLICT if some are; LIVE_CHANGED if it is because of what others committed meanwhile, or if
// those that write to the table do not end in connections.patience.
absl::Status CheckUnique(const DeferredUnique& unique, const CheckConnections& connections);

}  // namespace reinstate

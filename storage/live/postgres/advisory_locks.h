#pragma once

#include <cstdint>
#include <string_view>

#include "storage/live/postgres/catalog_facts.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

// The numbers of our advisory locks. They are digests, so that the application does not happen to
// use them; two that are the same make somebody wait, no more. Pure.

// Of one tenant, for as long as a session lasts; the words tell the locks of one tenant apart.
int64_t TenantLockNumber(const TenantId& tenant, std::string_view word);

// That every connection which writes to tenants holds, shared, from before its first transaction
// until it can write no more: by it, sessions know each other.
int64_t SessionMarkNumber();

// Of one table, for those who look for values that others may be writing at the same time, from
// their look until their commit.
int64_t TurnNumber(PgOid table);

}  // namespace reinstate

#pragma once

#include "reinstate/v1/catalog.pb.h"
#include "storage/live/live_store.h"
#include "storage/model/tenant_map.h"

namespace reinstate {

// Fills in `*wire`, which is clear.
void CatalogToWire(const TenantMap& map, v1::Catalog* wire);
void DiscoveryToWire(const StoreDiscovery& discovery, v1::Catalog* wire);

}  // namespace reinstate

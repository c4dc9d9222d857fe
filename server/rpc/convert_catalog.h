#pragma once

#include "reinstate/v1/catalog.pb.h"
#include "storage/model/tenant_map.h"

namespace reinstate {

// Fills in `*wire`, which is clear.
void CatalogToWire(const TenantMap& map, v1::Catalog* wire);

}  // namespace reinstate

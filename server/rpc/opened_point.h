#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/rpc/service_parts.h"
#include "storage/history/point_reader.h"

namespace reinstate {

// A point that a request named, open for reading.
struct OpenedPoint {
  state::Point point;
  std::unique_ptr<PointReader> reader;
};

// The tenant that the field `field` names: as StoreRegistry::CanonicalTenant.
absl::StatusOr<TenantId> ParseTenantOf(const StoreRegistry& stores, const std::string& store,
                                       std::string_view field, std::string_view text);

// Resolves `at` in the store's lineage and opens it. Errors of ResolvePoint.
absl::StatusOr<OpenedPoint> OpenPointAt(const ServiceParts& parts, const ServedStore& store,
                                        const std::string& at);

// The newest visible snapshot of the store, or nullptr if there is none.
absl::StatusOr<std::unique_ptr<PointReader>> OpenNewest(const ServiceParts& parts,
                                                        const ServedStore& store);

}  // namespace reinstate

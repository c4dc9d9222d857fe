#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/history/history.h"
#include "storage/live/live_store.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

enum class MatchKind { kExact, kNormalised, kSimilar };

// A tenant that a search found.
struct TenantMatch {
  TenantId tenant = TenantId::Ownerless();
  std::string matched;  // the id or label that matched
  MatchKind kind = MatchKind::kSimilar;
  double similarity = 0;            // in (0, 1]; 1 for exact and normalised
  std::vector<std::string> labels;  // of the newest visible snapshot that has the tenant
  SnapshotId last_seen;             // that snapshot
  bool in_newest = true;            // it is the newest visible snapshot
};

// A tenant that was there at a point and is gone or much smaller live.
struct LostTenant {
  TenantManifest at_point;
  int64_t rows_live = 0;
};

// Whether a tenant that had `rows_at_point` has lost data: less than `lost_fraction`, in (0, 1], of
// the rows are left.
bool IsLost(int64_t rows_live, int64_t rows_at_point, double lost_fraction);

// Finds tenants by what people know of them, and those who have lost data. Thread-safe; borrows
// what it is given.
class TenantDirectory {
 public:
  explicit TenantDirectory(const History* history) : history_(history) {}

  // Tenants whose id or label, in any visible snapshot of `lineage`, is `query`: exactly; else
  // after Unicode normalisation (NormalisedLabel); else similar (LabelSimilarity). Each tenant
  // once, with its best match; best first, at most `limit`. Reads the manifests of the whole
  // lineage. INVALID_ARGUMENT if the query is empty; errors of History::ScanManifests.
  absl::StatusOr<std::vector<TenantMatch>> Find(uint32_t lineage, const std::string& query,
                                                int64_t limit) const;

  // Tenants with rows at `point` and ids after `after` (all if nullopt) that live have less than
  // the fraction `lost_fraction`, in (0, 1], of those rows: ascending, at most `limit`. Counts the
  // whole live store. Errors of History::OpenPoint, PointReader::ListTenants and
  // LiveStore::CountTenants.
  absl::StatusOr<std::vector<LostTenant>> ListLost(const SnapshotId& point, LiveStore* live,
                                                   double lost_fraction,
                                                   const std::optional<TenantId>& after,
                                                   int64_t limit) const;

 private:
  const History* const history_;
};

}  // namespace reinstate

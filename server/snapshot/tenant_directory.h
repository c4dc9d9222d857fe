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
  double similarity = 0;            // 1 for exact and normalised
  std::vector<std::string> labels;  // of the newest snapshot that has the tenant
  SnapshotId last_seen;             // that snapshot
  bool in_newest = true;            // is in the newest snapshot
};

// A tenant that was there at a point and is gone or much smaller live.
struct LostTenant {
  TenantManifest at_point;
  int64_t rows_live = 0;
};

// Finds tenants by what people know of them, and those who have lost data. Thread-safe; borrows
// what it is given.
class TenantDirectory {
 public:
  explicit TenantDirectory(const History* history) : history_(history) {}

  // Tenants whose id or label, in any kept snapshot of `lineage`, is `query`: exactly; else after
  // Unicode normalisation (NFKC, case folding, white space collapsed, punctuation dropped); else
  // similar (Levenshtein distance of the normalised texts at most a third of the longer one, or it
  // contains the query). Best first, at most `limit`.
  absl::StatusOr<std::vector<TenantMatch>> Find(uint32_t lineage, const std::string& query,
                                                int64_t limit) const;

  // Tenants at `point` with ids after `after` that live have no more than `max_fraction_left` of
  // their rows.
  absl::StatusOr<std::vector<LostTenant>> ListLost(const SnapshotId& point, LiveStore* live,
                                                   double max_fraction_left,
                                                   const std::optional<TenantId>& after,
                                                   int64_t limit) const;

 private:
  const History* const history_;
};

}  // namespace reinstate

#include "server/jobs/absence_check.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

absl::Status CheckNeverThere(const PointReader& point, const ServedStore& store,
                             const TenantId& tenant) {
  ASSIGN_OR_RETURN(const auto peak, point.PeakBefore(tenant));
  if (!peak.has_value() || peak->rows == 0) {
    return absl::OkStatus();
  }
  return MakeError(
      Reason::kPointShrunken,
      absl::StrCat("in ", point.snapshot().id.ToString(), " of store ", store.name, " tenant ",
                   Printable(tenant.value()), " has no data, and in ", peak->snapshot.ToString(),
                   " it had ", peak->rows,
                   " rows; choose an earlier point, or accept this one with --accept-shrunken, "
                   "and it is restored in its other stores only"));
}

// Rows of a table that is unresolved were captured as those of nobody: some may be the tenant's.
absl::Status CheckAllResolved(const PointReader& point, const ServedStore& store,
                              const TenantId& tenant) {
  std::vector<std::string> unresolved;
  for (const CoveredTable& table : point.snapshot().tables) {
    if (!table.owned) {
      unresolved.push_back(table.schema.name);
    }
  }
  if (unresolved.empty()) {
    return absl::OkStatus();
  }
  return MakeError(
      Reason::kTableUnresolved,
      absl::StrCat("in ", point.snapshot().id.ToString(), " of store ", store.name, " tenant ",
                   Printable(tenant.value()),
                   " has no data, but it is not known whose rows are in ",
                   absl::StrJoin(unresolved, ", "),
                   "; say in the configuration how they are owned and take a snapshot, or accept "
                   "this with --accept-uncovered-tables, and it is restored in its other stores "
                   "only"));
}

}  // namespace

absl::Status AbsenceCheck::CheckLive(const ServedStore& store, const TenantId& tenant,
                                     const SnapshotId& snapshot) const {
  ASSIGN_OR_RETURN(const std::vector<int64_t> rows, store.live->CountRowsOf({&tenant, 1}));
  if (rows.front() == 0) {
    return absl::OkStatus();
  }
  return MakeError(
      Reason::kTenantNotAtPoint,
      absl::StrCat("in ", snapshot.ToString(), " of store ", store.name, " tenant ",
                   Printable(tenant.value()), " has no data, and ", rows.front(),
                   " live rows, which a mirror would have to delete; choose another point or "
                   "--mode, and it is restored in its other stores only"));
}

absl::Status AbsenceCheck::Check(const state::BatchOrder& order,
                                 const state::BatchStorePoint& point,
                                 const std::string& tenant) const {
  ASSIGN_OR_RETURN(const ServedStore* store, stores_->Find(point.store()));
  RETURN_IF_ERROR(stores_->CheckIdentity(store->name));
  ASSIGN_OR_RETURN(const TenantId text, TenantId::Parse(tenant));
  // Not by the registry, which takes the text as it is where the store cannot say: under another
  // one the tenant may have all its data.
  ASSIGN_OR_RETURN(const TenantId canonical, store->live->CanonicalTenant(text));
  ASSIGN_OR_RETURN(const SnapshotId snapshot, SnapshotId::Parse(point.point().snapshot()));
  ASSIGN_OR_RETURN(const auto reader, history_->OpenPoint(snapshot));
  if (const auto there = reader->GetTenant(canonical);
      !HasReason(there.status(), Reason::kTenantNotAtPoint)) {
    RETURN_IF_ERROR(there.status());
    return MakeError(Reason::kUnavailable, absl::StrCat("store ", store->name,
                                                        " did not answer for a moment; try again"));
  }
  if (!order.accept_shrunken()) {
    RETURN_IF_ERROR(CheckNeverThere(*reader, *store, canonical));
  }
  if (!order.accept_uncovered()) {
    RETURN_IF_ERROR(CheckAllResolved(*reader, *store, canonical));
  }
  return order.mode() == state::MIRROR ? CheckLive(*store, canonical, snapshot) : absl::OkStatus();
}

}  // namespace reinstate

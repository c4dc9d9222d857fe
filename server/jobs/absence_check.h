#pragma once

#include <string>

#include "absl/status/status.h"
#include "server/jobs/store_registry.h"
#include "storage/history/history.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// Decides whether a tenant of a group is restored in the other stores alone, since it has no data
// in one of them at the point of a batch. That must not hide any that it has or had.
//
// Thread-safe; borrows what it is given.
class AbsenceCheck {
 public:
  AbsenceCheck(StoreRegistry* stores, const History* history)
      : stores_(stores), history_(history) {}

  // OK if `tenant`, in any of its texts, has nothing in the store of `point` that the batch would
  // leave out. Otherwise, unless the order accepts it:
  //
  // POINT_SHRUNKEN: it had rows in an earlier snapshot. TABLE_UNRESOLVED: the snapshot has tables
  // of which it is not known whose rows they are. TENANT_NOT_AT_POINT: it has live rows, which a
  // mirror would have to delete. UNAVAILABLE and the like if the store cannot be asked: then this
  // says nothing of the tenant.
  absl::Status Check(const state::BatchOrder& order, const state::BatchStorePoint& point,
                     const std::string& tenant) const;

 private:
  absl::Status CheckLive(const ServedStore& store, const TenantId& tenant,
                         const SnapshotId& snapshot) const;

  StoreRegistry* const stores_;
  const History* const history_;
};

}  // namespace reinstate

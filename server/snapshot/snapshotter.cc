#include "server/snapshot/snapshotter.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/cut.h"

namespace reinstate {
namespace {

// A cut of a live store, as the history reads it.
class CutSource : public SnapshotSource {
 public:
  explicit CutSource(Cut* cut) : cut_(cut) {}

  int shards() const override { return cut_->shards(); }
  bool ordered_by_tenant() const override { return cut_->info().ordered_by_tenant; }
  absl::StatusOr<std::unique_ptr<TenantRowStream>> OpenShard(int shard) override {
    return cut_->OpenShard(shard);
  }
  absl::StatusOr<std::unique_ptr<TenantLabelsStream>> OpenLabels() override {
    return cut_->OpenLabels();
  }
  absl::StatusOr<int64_t> CountRows(uint32_t table) override { return cut_->CountRows(table); }

 private:
  Cut* const cut_;
};

// Asked after the cut is open: a connection that came back to another store must not go unnoticed.
absl::Status CheckIdentity(LiveStore* store, const std::string& expected) {
  ASSIGN_OR_RETURN(const StoreIdentity identity, store->Identity());
  if (identity.id == expected) {
    return absl::OkStatus();
  }
  return MakeError(Reason::kStoreIdentityChanged,
                   absl::StrCat("The store at ", identity.address,
                                " is not the one that was registered, so no snapshot of it was "
                                "taken. If it is meant to be, confirm it with `reinstate store "
                                "rebind`."));
}

}  // namespace

absl::StatusOr<SnapshotInfo> Snapshotter::Take(LiveStore* store, const Order& order) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Cut> cut,
                   store->OpenCut(CutOptions{.max_shards = options_.readers}));
  RETURN_IF_ERROR(CheckIdentity(store, order.store_identity));
  return Write(cut.get(), order, SnapshotRequest().max_clock_skew);
}

absl::StatusOr<SnapshotInfo> Snapshotter::Import(Cut* cut, const Order& order) {
  return Write(cut, order, absl::InfiniteDuration());
}

absl::StatusOr<SnapshotInfo> Snapshotter::Write(Cut* cut, const Order& order,
                                                absl::Duration max_clock_skew) {
  SnapshotRequest request;
  request.lineage = order.lineage;
  request.instant = cut->info().instant;
  request.position = cut->info().position;
  request.store_identity = order.store_identity;
  request.map = cut->info().map;
  request.max_clock_skew = max_clock_skew;
  request.accept_clock_jump = order.accept_clock_jump;
  request.collapse = options_.collapse;
  request.job = order.job;
  request.progress = order.progress;
  request.cancelled = order.cancelled;
  CutSource source(cut);
  return history_->TakeSnapshot(request, &source);
}

}  // namespace reinstate

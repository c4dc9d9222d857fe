#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/jobs/batch_view.h"
#include "server/jobs/restore_manager.h"
#include "server/jobs/store_group.h"
#include "server/jobs/store_registry.h"
#include "storage/base/clock.h"
#include "storage/history/history.h"
#include "storage/state/state_store.h"

namespace reinstate {

struct BatchManagerOptions {
  std::vector<StoreGroup> groups;
  int64_t max_lines = 10'000;  // of a batch
  // How long it is watched whether the tenants of a new batch still lose rows; zero: not at all.
  absl::Duration shrink_watch = absl::Seconds(2);
  const Clock* clock = Clock::System();
};

// Batches: many restores from one list, under control. What a batch is and does next is in the
// state; a thread does it step by step, each of them durable, and goes on after a restart.
//
// Thread-safe. A call returns once what it changes is durable. Borrows everything it is given.
class BatchManager {
 public:
  static std::unique_ptr<BatchManager> Create(const BatchManagerOptions& options,
                                              StoreRegistry* stores, const History* history,
                                              StateStore* state, RestoreManager* restores);
  virtual ~BatchManager() = default;  // as Shutdown

  // Reads what has not ended, and keeps the restores back that must not run now. Once, before
  // RestoreManager::Start.
  virtual absl::Status Prepare() = 0;

  // Goes on with it. Once, after RestoreManager::Start.
  virtual void Start() = 0;

  // Ends the thread. May be repeated.
  virtual void Shutdown() = 0;

  // Checks every line; then stores the batch with all restores in one step. With `validate_only`
  // nothing is stored, and the view says what is wrong. STORE_NOT_FOUND, GROUP_NOT_FOUND, errors of
  // ResolvePoint, TOO_LARGE, INVALID_ARGUMENT, REQUEST_ID_REUSED; BATCH_LINES_INVALID unless
  // order.skip_invalid(), and if no line is left.
  //
  // If order.plan() names a dry run there are no lines, and the rest of the order is that of the
  // dry run: BATCH_NOT_FOUND; PLAN_CHANGED if it is not PLANNED or has another digest.
  virtual absl::StatusOr<BatchView> CreateBatch(const RequestKey& request, state::BatchOrder order,
                                                const std::vector<BatchLineOrder>& lines,
                                                bool validate_only) = 0;

  // Creates the batch that undoes order.undo_of(), which must have ended. While such a batch is
  // under way it is returned instead, also with `validate_only`. A restore of which a single undo
  // is under way becomes a line that is wrong. BATCH_NOT_FOUND, NOT_UNDOABLE.
  virtual absl::StatusOr<BatchView> CreateUndo(const RequestKey& request, state::BatchOrder order,
                                               bool validate_only) = 0;

  // BATCH_NOT_FOUND, here and below.
  virtual absl::StatusOr<BatchView> Get(const std::string& id) = 0;

  // Cheap, unlike Get.
  virtual absl::StatusOr<BatchStamp> Stamp(const std::string& id) = 0;

  // Newest first, without single lines.
  virtual absl::StatusOr<std::vector<BatchView>> List(const std::string& after, int64_t limit) = 0;

  // In their order, from line number `from` on.
  virtual absl::StatusOr<std::vector<BatchLineView>> Lines(const std::string& id,
                                                           const BatchLineFilter& filter,
                                                           int64_t from, int64_t limit) = 0;

  // Each may be repeated, and leaves what has ended as it is. BATCH_ENDED (not Cancel), also of one
  // that is being cancelled. Pausing a dry run: INVALID_ARGUMENT.
  virtual absl::StatusOr<BatchView> Pause(const std::string& id, const state::Actor& actor,
                                          const std::string& reason) = 0;
  virtual absl::StatusOr<BatchView> Resume(const std::string& id, const state::Actor& actor,
                                           const std::string& reason) = 0;
  virtual absl::StatusOr<BatchView> Cancel(const std::string& id, const state::Actor& actor,
                                           const std::string& reason) = 0;

  // New restores for what FAILED, or was CANCELLED with the batch; what somebody cancelled by
  // itself stays so. Of a restore that has SUCCEEDED, the hooks after it that failed, required or
  // not, are run again, and nothing else. INVALID_ARGUMENT for a dry run; BATCH_ENDED while the
  // batch is being undone.
  virtual absl::StatusOr<BatchView> Retry(const std::string& id, const state::Actor& actor,
                                          const std::string& reason) = 0;

  struct AddOptions {
    bool skip_invalid = false;
    bool validate_only = false;
  };
  // As CreateBatch; INVALID_ARGUMENT for a dry run and an undo; BATCH_ENDED while the batch is
  // being undone.
  virtual absl::StatusOr<BatchView> Add(const std::string& id,
                                        const std::vector<BatchLineOrder>& lines,
                                        AddOptions options, const state::Actor& actor,
                                        const std::string& reason) = 0;

  // Of all lines if `tenants` is empty. BATCH_ENDED, TENANT_NOT_FOUND; INVALID_ARGUMENT for a dry
  // run.
  virtual absl::StatusOr<BatchView> Prioritize(const std::string& id,
                                               const std::vector<std::string>& tenants,
                                               int32_t priority, const state::Actor& actor,
                                               const std::string& reason) = 0;

  // As RestoreManager::WatchJob.
  virtual std::shared_ptr<void> Watch(const std::string& id, std::function<void()> on_change) = 0;
};

}  // namespace reinstate

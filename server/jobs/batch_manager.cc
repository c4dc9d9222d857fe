#include "server/jobs/batch_manager.h"

#include <utility>

#include "server/jobs/batch_control.h"
#include "server/jobs/batch_creator.h"
#include "server/jobs/batch_desk.h"
#include "server/jobs/batch_orders.h"
#include "server/jobs/batch_shelf.h"
#include "server/jobs/batch_stepper.h"
#include "server/jobs/job_watchers.h"
#include "server/jobs/restore_times.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

class BatchManagerImpl final : public BatchManager {
 public:
  BatchManagerImpl(const BatchManagerOptions& options, StoreRegistry* stores,
                   const History* history, StateStore* state, RestoreManager* restores)
      : state_(state),
        restores_(restores),
        orders_(options.groups, options.max_lines, options.clock, stores, history, restores),
        shelf_(options.clock, state, restores, &times_, &watchers_,
               [this](const std::string& batch) { stepper_.Wake(batch); }),
        desk_{.state = state,
              .restores = restores,
              .orders = &orders_,
              .shelf = &shelf_,
              .changing = &changing_,
              .wake = [this](const std::string& batch) { stepper_.Wake(batch); },
              .shrink_watch = options.shrink_watch,
              .clock = options.clock},
        creator_(&desk_),
        control_(&desk_),
        stepper_(stores, &desk_) {
    restores->Observe(&times_);
    restores->Observe(&shelf_);
  }
  ~BatchManagerImpl() override { Shutdown(); }
  BatchManagerImpl(const BatchManagerImpl&) = delete;
  BatchManagerImpl& operator=(const BatchManagerImpl&) = delete;

  absl::Status Prepare() override;
  void Start() override { stepper_.Start(); }
  void Shutdown() override { stepper_.Stop(); }

  absl::StatusOr<BatchView> CreateBatch(const RequestKey& request, state::BatchOrder order,
                                        const std::vector<BatchLineOrder>& lines,
                                        bool validate_only) override {
    return creator_.Create(request, order, lines, validate_only);
  }
  absl::StatusOr<BatchView> CreateUndo(const RequestKey& request, state::BatchOrder order,
                                       bool validate_only) override {
    return creator_.CreateUndo(request, std::move(order), validate_only);
  }
  absl::StatusOr<BatchView> Get(const std::string& id) override { return shelf_.View(id); }
  absl::StatusOr<BatchStamp> Stamp(const std::string& id) override { return shelf_.Stamp(id); }
  absl::StatusOr<std::vector<BatchView>> List(const std::string& after, int64_t limit) override;
  absl::StatusOr<std::vector<BatchLineView>> Lines(const std::string& id,
                                                   const BatchLineFilter& filter, int64_t from,
                                                   int64_t limit) override {
    return shelf_.Lines(id, filter, from, limit);
  }
  absl::StatusOr<BatchView> Pause(const std::string& id, const state::Actor& actor,
                                  const std::string& reason) override {
    return control_.Pause(id, actor, reason);
  }
  absl::StatusOr<BatchView> Resume(const std::string& id, const state::Actor& actor,
                                   const std::string& reason) override {
    return control_.Resume(id, actor, reason);
  }
  absl::StatusOr<BatchView> Cancel(const std::string& id, const state::Actor& actor,
                                   const std::string& reason) override {
    return control_.Cancel(id, actor, reason);
  }
  absl::StatusOr<BatchView> Retry(const std::string& id, const state::Actor& actor,
                                  const std::string& reason) override {
    return control_.Retry(id, actor, reason);
  }
  absl::StatusOr<BatchView> Add(const std::string& id, const std::vector<BatchLineOrder>& lines,
                                AddOptions options, const state::Actor& actor,
                                const std::string& reason) override {
    return control_.Add(id, lines, options, actor, reason);
  }
  absl::StatusOr<BatchView> Prioritize(const std::string& id,
                                       const std::vector<std::string>& tenants, int32_t priority,
                                       const state::Actor& actor,
                                       const std::string& reason) override {
    return control_.Prioritize(id, tenants, priority, actor, reason);
  }
  std::shared_ptr<void> Watch(const std::string& id, std::function<void()> on_change) override {
    return watchers_.Watch(id, std::move(on_change));
  }

 private:
  StateStore* const state_;
  RestoreManager* const restores_;
  JobWatchers watchers_;
  RestoreTimes times_;
  Mutex changing_;
  BatchOrders orders_;
  BatchShelf shelf_;
  const BatchDesk desk_;
  BatchCreator creator_;
  BatchControl control_;
  BatchStepper stepper_;  // after all that its thread uses
};

absl::Status BatchManagerImpl::Prepare() {
  RETURN_IF_ERROR(times_.Load(*state_));
  ASSIGN_OR_RETURN(const auto batches, state_->UnfinishedBatches());
  for (const state::BatchRecord& batch : batches) {
    RETURN_IF_ERROR(shelf_.Load(batch.id()));
    restores_->Hold(batch.state() == state::BATCH_RUNNING ? shelf_.WaitingForLook(batch.id())
                                                          : shelf_.Unfinished(batch.id()));
    stepper_.Wake(batch.id());
  }
  // What no batch waits for is not planned.
  return CancelPlansOf(
      desk_, [&](const std::string& id) { return !IsIn(desk_, id, state::BATCH_PLANNING); });
}

absl::StatusOr<std::vector<BatchView>> BatchManagerImpl::List(const std::string& after,
                                                              int64_t limit) {
  ASSIGN_OR_RETURN(const auto records, state_->ListBatches(after, limit));
  std::vector<BatchView> views;
  for (const state::BatchRecord& record : records) {
    ASSIGN_OR_RETURN(BatchView view, Get(record.id()));
    views.push_back(std::move(view));
  }
  return views;
}

}  // namespace

std::unique_ptr<BatchManager> BatchManager::Create(const BatchManagerOptions& options,
                                                   StoreRegistry* stores, const History* history,
                                                   StateStore* state, RestoreManager* restores) {
  return std::make_unique<BatchManagerImpl>(options, stores, history, state, restores);
}

}  // namespace reinstate

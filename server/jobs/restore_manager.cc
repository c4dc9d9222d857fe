#include "server/jobs/restore_manager.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/jobs/job_log.h"
#include "server/jobs/job_watchers.h"
#include "server/jobs/order_checker.h"
#include "server/jobs/plan_jobs.h"
#include "server/jobs/restore_jobs.h"
#include "server/restore/restore_audit.h"
#include "storage/base/error.h"
#include "storage/base/id_generator.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

class RestoreManagerImpl final : public RestoreManager {
 public:
  RestoreManagerImpl(const RestoreManagerOptions& options, StoreRegistry* stores, History* history,
                     StateStore* state, RestoreEngine* engine)
      : clock_(options.clock),
        state_(state),
        checker_(stores, history, state, options.clock),
        ids_(options.clock),
        restores_(options, {.stores = stores,
                            .history = history,
                            .state = state,
                            .engine = engine,
                            .watchers = &watchers_}),
        plans_(options.clock, stores, state, engine, &watchers_) {}

  ~RestoreManagerImpl() override { Shutdown(); }
  RestoreManagerImpl(const RestoreManagerImpl&) = delete;
  RestoreManagerImpl& operator=(const RestoreManagerImpl&) = delete;

  absl::Status Start() override {
    RETURN_IF_ERROR(restores_.Start());
    return plans_.Start();
  }
  void Shutdown() override {
    restores_.Shutdown();
    plans_.Shutdown();
  }

  absl::StatusOr<state::RestoreRecord> CreateRestore(const RequestKey& request,
                                                     state::RestoreOrder order,
                                                     bool validate_only) override;
  absl::StatusOr<state::RestoreRecord> CreateUndo(const RequestKey& request,
                                                  state::RestoreOrder order,
                                                  bool validate_only) override;
  absl::StatusOr<Created> CreateAll(std::vector<state::RestoreRecord>* records, bool hold,
                                    const std::function<absl::StatusOr<Created>()>& store) override;
  void Hold(const std::vector<std::string>& ids) override { restores_.Hold(ids); }
  void Release(const std::vector<std::string>& ids) override { restores_.Release(ids); }
  absl::Status RunAgain(const std::string& id) override { return restores_.RunAgain(id); }
  absl::Status GiveUp(const std::string& id, const state::Failure& failure) override {
    return restores_.GiveUp(id, failure);
  }
  absl::StatusOr<bool> RunFailedHooksAgain(const std::string& id) override {
    return restores_.RunFailedHooksAgain(id);
  }
  absl::Status SetPriority(const std::string& id, int32_t priority) override {
    return restores_.SetPriority(id, priority);
  }
  void Observe(JobObserver* observer) override {
    restores_.Observe(observer);
    plans_.Observe(observer);
  }
  absl::StatusOr<state::PlanRecord> CreatePlan(const RequestKey& request,
                                               state::RestoreOrder order) override;
  void CancelPlans(const std::vector<std::string>& ids) override { plans_.Cancel(ids); }
  absl::StatusOr<state::PlanRecord> GetPlan(const std::string& id) const override {
    return plans_.Get(id);
  }
  absl::StatusOr<state::RestoreRecord> GetRestore(const std::string& id) const override {
    return restores_.Get(id);
  }
  absl::StatusOr<std::vector<state::RestoreRecord>> ListRestores(const RestoreFilter& filter,
                                                                 const std::string& after,
                                                                 int64_t limit) const override;
  absl::StatusOr<state::RestoreRecord> CancelRestore(const std::string& id,
                                                     const state::Actor& actor,
                                                     const std::string& reason) override {
    return restores_.Cancel(id, {.actor = actor, .reason = reason});
  }
  absl::StatusOr<state::RestoreRecord> CancelWithBatch(const std::string& id,
                                                       const state::Actor& actor,
                                                       const std::string& reason) override {
    return restores_.Cancel(id, {.actor = actor, .reason = reason, .with_batch = true});
  }
  absl::StatusOr<state::RestoreRecord> ResolveRestore(const std::string& id, bool committed,
                                                      const state::Actor& actor,
                                                      const std::string& reason) override {
    return restores_.Resolve(id, committed, actor, reason);
  }
  Eta EstimateEnd(const state::RestoreRecord& record) const override {
    return restores_.EstimateEnd(record);
  }
  int Lanes(const std::vector<std::string>& stores) const override {
    return restores_.Lanes(stores);
  }
  std::map<std::string, Load> Loads() const override { return restores_.Loads(); }
  absl::Status SetThrottle(const std::string& store, const state::Throttle& throttle,
                           const state::Actor& actor, const std::string& reason) override {
    return restores_.SetThrottle(store, throttle, actor, reason);
  }
  std::optional<std::string> HoldingBack(const std::string& store) const override {
    return restores_.HoldingBack(store);
  }
  std::optional<std::string> WhyQueued(const state::RestoreRecord& record) const override {
    return restores_.WhyQueued(record);
  }
  absl::Time HeldUntil(const std::string& store, const StoreThrottle::Size& before) const override {
    return restores_.HeldUntil(store, before);
  }
  Watch WatchHold(const std::string& store, std::function<void()> on_change) override {
    return restores_.WatchHold(store, std::move(on_change));
  }
  Watch WatchJob(const std::string& id, std::function<void()> on_change) override {
    return restores_.Watch(id, std::move(on_change));
  }

 private:
  // The restore or plan that `request` has made before, or nullopt.
  absl::StatusOr<std::optional<std::string>> Earlier(const RequestKey& request) const {
    return state_->FindRequest(request);
  }
  absl::StatusOr<state::RestoreRecord> Store(const RequestKey& request,
                                             state::RestoreRecord record);

  const Clock* const clock_;
  StateStore* const state_;
  const OrderChecker checker_;
  IdGenerator ids_;
  JobWatchers watchers_;
  RestoreJobs restores_;
  PlanJobs plans_;
};

// --- Orders ---

absl::StatusOr<state::RestoreRecord> RestoreManagerImpl::Store(const RequestKey& request,
                                                               state::RestoreRecord record) {
  record.set_id(ids_.Next("rst"));
  RETURN_IF_ERROR(restores_.Prepare(&record));
  const bool undo = !record.order().undo_of().empty();
  const absl::StatusOr<Created> created = state_->CreateRestore(
      request, record, RestoreAudit(record, undo ? "undo.created" : "restore.created"));
  if (!created.ok() || created->existed) {
    restores_.Abandon(record);
  }
  RETURN_IF_ERROR(created.status());
  ASSIGN_OR_RETURN(state::RestoreRecord stored, state_->GetRestore(created->id));
  if (!created->existed) {
    restores_.Add(stored, absl::FromUnixMicros(stored.created_us()));
  }
  return stored;
}

absl::StatusOr<Created> RestoreManagerImpl::CreateAll(
    std::vector<state::RestoreRecord>* records, bool hold,
    const std::function<absl::StatusOr<Created>()>& store) {
  std::vector<std::string> ids;
  absl::Status prepared;
  for (state::RestoreRecord& record : *records) {
    prepared = restores_.Prepare(&record);
    if (!prepared.ok()) {
      break;
    }
    ids.push_back(record.id());
  }
  // Until all are queued: the first must not begin only because they are the first.
  restores_.Hold(ids);
  absl::StatusOr<Created> created = prepared.ok() ? store() : prepared;
  if (!created.ok() || created->existed) {
    restores_.Release(ids);
    for (size_t i = 0; i < ids.size(); ++i) {
      restores_.Abandon((*records)[i]);
    }
    return created;
  }
  const absl::Time now = clock_->Now();
  for (const state::RestoreRecord& record : *records) {
    restores_.Add(record, now);
  }
  if (!hold) {
    restores_.Release(ids);
  }
  return created;
}

absl::StatusOr<state::RestoreRecord> RestoreManagerImpl::CreateRestore(const RequestKey& request,
                                                                       state::RestoreOrder order,
                                                                       bool validate_only) {
  // First of all, since what is checked below may have changed since the same call came before.
  ASSIGN_OR_RETURN(const auto earlier, Earlier(request));
  if (earlier.has_value()) {
    return GetRestore(*earlier);
  }
  ASSIGN_OR_RETURN(state::RestoreRecord record,
                   checker_.CheckRestore(std::move(order), OrderChecker::Consents::kRequired));
  if (validate_only) {
    return record;
  }
  return Store(request, std::move(record));
}

absl::StatusOr<state::RestoreRecord> RestoreManagerImpl::CreateUndo(const RequestKey& request,
                                                                    state::RestoreOrder order,
                                                                    bool validate_only) {
  ASSIGN_OR_RETURN(const auto earlier, Earlier(request));
  if (earlier.has_value()) {
    return GetRestore(*earlier);
  }
  ASSIGN_OR_RETURN(state::RestoreRecord record, checker_.CheckUndo(std::move(order)));
  if (validate_only) {
    return record;
  }
  return Store(request, std::move(record));
}

absl::StatusOr<state::PlanRecord> RestoreManagerImpl::CreatePlan(const RequestKey& request,
                                                                 state::RestoreOrder order) {
  ASSIGN_OR_RETURN(const auto earlier, Earlier(request));
  if (earlier.has_value()) {
    return GetPlan(*earlier);
  }
  ASSIGN_OR_RETURN(const state::RestoreRecord checked,
                   order.undo_of().empty()
                       ? checker_.CheckRestore(std::move(order), OrderChecker::Consents::kShown)
                       : checker_.CheckUndo(std::move(order)));
  return plans_.Create(request, checked);
}

// --- Reading ---

absl::StatusOr<std::vector<state::RestoreRecord>> RestoreManagerImpl::ListRestores(
    const RestoreFilter& filter, const std::string& after, int64_t limit) const {
  ASSIGN_OR_RETURN(auto records, state_->ListRestores(filter, after, limit));
  for (state::RestoreRecord& record : records) {
    restores_.AddPresent(&record);
  }
  return records;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RestoreManager>> RestoreManager::Create(
    const RestoreManagerOptions& options, StoreRegistry* stores, History* history,
    StateStore* state, RestoreEngine* engine) {
  if (options.workers < 1) {
    return MakeError(
        Reason::kConfigInvalid,
        absl::StrCat("the number of workers must be at least 1, not ", options.workers));
  }
  return std::make_unique<RestoreManagerImpl>(options, stores, history, state, engine);
}

}  // namespace reinstate

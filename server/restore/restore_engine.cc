#include "server/restore/restore_engine.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/restore/certificate.h"
#include "server/restore/restore_audit.h"
#include "server/restore/restore_run.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/state/job_state_words.h"

namespace reinstate {
namespace {

class RestoreEngineImpl final : public RestoreEngine {
 public:
  RestoreEngineImpl(RestoreEngineOptions options, History* history, StateStore* state)
      : options_(std::move(options)), history_(history), state_(state) {}

  absl::StatusOr<state::PlanSummary> Plan(const state::RestoreOrder& order, LiveStore* store,
                                          RunControl* control) override {
    state::RestoreRecord record;
    record.set_id("a plan");
    *record.mutable_order() = order;
    return RestoreRun(Parts(store, control), std::move(record)).PlanOnly();
  }

  absl::StatusOr<state::RestoreRecord> Run(const std::string& id, LiveStore* store,
                                           RunControl* control) override {
    ASSIGN_OR_RETURN(state::RestoreRecord record, state_->GetRestore(id));
    return RestoreRun(Parts(store, control), std::move(record)).Run();
  }

  absl::StatusOr<state::RestoreRecord> Resolve(const std::string& id, bool committed,
                                               const state::Actor& actor,
                                               const std::string& reason) override {
    ASSIGN_OR_RETURN(state::RestoreRecord record, state_->GetRestore(id));
    if (record.state() != state::IN_DOUBT) {
      return MakeError(Reason::kNotInDoubt, absl::StrCat("restore ", id, " is not in doubt: it is ",
                                                         JobStateWords(record.state())));
    }
    record.set_resolved_by(actor.name());
    record.set_resolved_reason(reason);
    record.set_finished_us(absl::ToUnixMicros(options_.clock->Now()));
    std::optional<state::Certificate> certificate;
    if (committed) {
      certificate = ResolvedCertificate(record);
      record.set_state(state::SUCCEEDED);
      record.clear_failure();
      *record.mutable_plan() = record.intent().plan();
      record.set_undo_expires_us(
          absl::ToUnixMicros(options_.clock->Now() + options_.undo_validity));
    } else {
      record.set_state(state::FAILED);
      record.mutable_failure()->set_message(
          absl::StrCat(actor.name(), " stated that it was not committed: ", reason));
      record.clear_intent();
    }
    RETURN_IF_ERROR(state_->RecordOutcome(
        record, certificate,
        RestoreAudit(record,
                     committed ? "restore.resolved_committed" : "restore.resolved_not_committed",
                     actor, reason)));
    return record;
  }

 private:
  RestoreRun::Parts Parts(LiveStore* store, RunControl* control) {
    return {.options = &options_,
            .history = history_,
            .state = state_,
            .store = store,
            .control = control};
  }

  state::Certificate ResolvedCertificate(const state::RestoreRecord& record) {
    state::Certificate certificate = MakeCertificate(
        record, {.id = record.intent().live_identity(), .address = ""}, options_.clock->Now(),
        /*by_evidence=*/true);
    certificate.add_exceptions(absl::StrCat("that it was committed was stated by ",
                                            record.resolved_by(),
                                            ", not found: ", record.resolved_reason()));
    return certificate;
  }

  const RestoreEngineOptions options_;
  History* const history_;
  StateStore* const state_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RestoreEngine>> RestoreEngine::Create(RestoreEngineOptions options,
                                                                     History* history,
                                                                     StateStore* state) {
  std::error_code error;
  std::filesystem::remove_all(options.spill_path, error);
  if (!error) {
    std::filesystem::create_directories(options.spill_path, error);
  }
  if (error) {
    return MakeError(Reason::kConfigInvalid,
                     absl::StrCat("the folder for temporary files ", options.spill_path,
                                  " cannot be made: ", error.message()));
  }
  return std::make_unique<RestoreEngineImpl>(std::move(options), history, state);
}

}  // namespace reinstate

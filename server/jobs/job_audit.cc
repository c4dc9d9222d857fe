#include "server/jobs/job_audit.h"

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"

namespace reinstate {
namespace {

std::string_view KindName(state::JobKind kind) {
  switch (kind) {
    case state::TAKE_SNAPSHOT:
      return "snapshot.take";
    case state::IMPORT_SNAPSHOT:
      return "snapshot.import";
    case state::VERIFY_SNAPSHOT:
      return "snapshot.verify";
    default:
      return "retention.apply";
  }
}

}  // namespace

AuditDraft JobAudit(const state::HistoryJob& job, std::string_view what) {
  const bool cancelled = job.state() == state::CANCELLED;
  AuditDraft audit;
  *audit.mutable_actor() = cancelled ? job.cancelled_by() : job.actor();
  audit.set_action(absl::StrCat(std::string(KindName(job.kind())), "_", std::string(what)));
  audit.set_subject(job.snapshot().empty() ? job.id() : job.snapshot());
  audit.set_store(job.store());
  const nlohmann::json details = {{"job", job.id()},
                                  {"failure", job.failure().reason()},
                                  {"reason", cancelled ? job.cancel_reason() : job.reason()},
                                  {"ordered_by", job.actor().name()}};
  audit.set_details(details.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return audit;
}

}  // namespace reinstate

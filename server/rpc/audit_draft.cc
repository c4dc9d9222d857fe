#include "server/rpc/audit_draft.h"

#include <nlohmann/json.hpp>

#include "storage/base/error.h"

namespace reinstate {

AuditDraft MakeAuditDraft(const Call& call, const std::string& action, const std::string& subject,
                          const std::string& store, const absl::Status& outcome) {
  AuditDraft draft;
  *draft.mutable_actor() = call.actor;
  draft.set_action(action);
  draft.set_subject(subject);
  draft.set_store(store);
  nlohmann::json details = {{"reason", call.reason}};
  if (!outcome.ok()) {
    details["failure"] = ReasonOf(outcome);
  }
  // Invalid UTF-8 is replaced: dump() throws on it otherwise.
  draft.set_details(details.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return draft;
}

}  // namespace reinstate

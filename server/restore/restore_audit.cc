#include "server/restore/restore_audit.h"

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"

namespace reinstate {

AuditDraft RestoreAudit(const state::RestoreRecord& record, const std::string& action) {
  return RestoreAudit(record, action, record.order().actor(), record.order().reason());
}

AuditDraft CancelAudit(const state::RestoreRecord& record) {
  return RestoreAudit(record, "restore.cancelled", record.cancelled_by(), record.cancel_reason());
}

AuditDraft RestoreAudit(const state::RestoreRecord& record, const std::string& action,
                        const state::Actor& actor, const std::string& reason) {
  AuditDraft audit;
  *audit.mutable_actor() = actor;
  audit.set_action(action);
  audit.set_subject(record.id());
  audit.set_store(record.order().store());
  audit.set_tenant(record.order().tenant());
  nlohmann::json details = {{"mode", state::Mode_Name(record.order().mode())},
                            {"snapshot", record.order().point().snapshot()},
                            {"plan_digest", absl::BytesToHexString(record.plan().digest())},
                            {"rows_changed", record.plan().rows_to_change()},
                            {"reason", reason},
                            {"ordered_by", record.order().actor().name()},
                            {"reference", record.order().reference()}};
  if (!record.order().undo_of().empty()) {
    details["undo_of"] = record.order().undo_of();
  }
  if (record.has_failure()) {
    details["failure"] = record.failure().reason();
  }
  audit.set_details(details.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return audit;
}

}  // namespace reinstate

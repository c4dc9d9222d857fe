#include "server/jobs/batch_audit.h"

#include <nlohmann/json.hpp>

namespace reinstate {

AuditDraft BatchAudit(const state::BatchRecord& batch, const std::string& action,
                      const state::Actor& actor, const std::string& reason, size_t lines) {
  AuditDraft audit;
  *audit.mutable_actor() = actor;
  audit.set_action(action);
  audit.set_subject(batch.id());
  audit.set_store(batch.order().store());
  const nlohmann::json details = {{"lines", lines},
                                  {"mode", state::Mode_Name(batch.order().mode())},
                                  {"group", batch.order().group()},
                                  {"at", batch.order().at()},
                                  {"dry_run", batch.order().dry_run()},
                                  {"plan", batch.order().plan()},
                                  {"undo_of", batch.order().undo_of()},
                                  {"reason", reason},
                                  {"reference", batch.order().reference()}};
  audit.set_details(details.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return audit;
}

}  // namespace reinstate

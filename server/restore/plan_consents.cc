#include "server/restore/plan_consents.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/key_text.h"

namespace reinstate {
namespace {

// What is in the way of a row of a plan, as " (…)"; empty if it is another tenant's row with its
// key.
std::string ObstacleText(const state::Sample& conflict) {
  if (conflict.action() == "no partition") {
    return " (no partition takes it)";
  }
  const std::string whose = conflict.holder() == state::THIS_TENANT ? "a row of the tenant itself"
                            : conflict.holder() == state::OTHER_TENANT ? "a row of another tenant"
                                                                       : "a row of nobody";
  return absl::StrCat(" (", conflict.constraint().empty() ? "its key" : conflict.constraint(), ": ",
                      whose, ")");
}

// KEY_CONFLICT, UNDO_CONFLICT: rows that cannot be settled.
absl::Status CheckConflicts(const state::RestoreOrder& order, const state::PlanSummary& summary) {
  if (summary.taken_count() > 0) {
    const auto first =
        std::find_if(summary.conflicts().begin(), summary.conflicts().end(),
                     [](const state::Sample& sample) { return sample.action() != "changed"; });
    return MakeError(
        Reason::kKeyConflict,
        absl::StrCat("other rows have the keys or unique values of ", summary.taken_count(),
                     " rows now, or there is no partition for them",
                     first == summary.conflicts().end()
                         ? ""
                         : absl::StrCat("; the first is row ", PrintableKey(first->key()),
                                        " of table ", first->table(), ObstacleText(*first)),
                     "; a plan names them all"));
  }
  if (summary.conflict_count() > 0 && !order.skip_undo_conflicts()) {
    return MakeError(Reason::kUndoConflict,
                     absl::StrCat(summary.conflict_count(),
                                  summary.conflict_count() == 1 ? " row has" : " rows have",
                                  " changed since the restore, the first in table ",
                                  summary.conflicts(0).table(),
                                  "; an undo with --skip-conflicts leaves such rows alone"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckConsents(const state::RestoreOrder& order, const state::PlanSummary& summary) {
  RETURN_IF_ERROR(CheckConflicts(order, summary));
  if (summary.shrunken() && !order.accept_shrunken()) {
    return MakeError(
        Reason::kPointShrunken,
        absl::StrCat("at this point tenant ", order.tenant(), " has less than half of the ",
                     summary.peak_rows(), " rows that it had in ", summary.peak_snapshot(),
                     "; choose that snapshot, or accept it with --accept-shrunken"));
  }
  if (summary.unresolved_tables_size() > 0 && !order.accept_uncovered()) {
    return MakeError(Reason::kTableUnresolved,
                     absl::StrCat("it is not known how these tables relate to tenants: ",
                                  absl::StrJoin(summary.unresolved_tables(), ", "),
                                  "; resolve them in the config, or leave them out with "
                                  "--accept-uncovered-tables"));
  }
  if (summary.uncovered_tables_size() > 0 && order.mode() == state::MIRROR &&
      !order.accept_uncovered()) {
    return MakeError(
        Reason::kTablesUncovered,
        absl::StrCat(
            "the snapshot does not cover these tables, which a mirror would leave as they are: ",
            absl::StrJoin(summary.uncovered_tables(), ", "),
            "; accept with --accept-uncovered-tables"));
  }
  if (!order.plan_digest().empty() && order.plan_digest() != summary.digest()) {
    return MakeError(Reason::kPlanChanged,
                     "the live rows have changed since the plan was made; look at a new plan and "
                     "order by its digest");
  }
  return absl::OkStatus();
}

}  // namespace reinstate

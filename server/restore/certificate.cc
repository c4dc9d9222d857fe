#include "server/restore/certificate.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace reinstate {
namespace {

constexpr char kNotComparedAgain[] = "not compared once more since the commit";

void RemoveNotComparedAgain(state::Certificate* certificate) {
  auto& exceptions = *certificate->mutable_exceptions();
  exceptions.erase(std::remove(exceptions.begin(), exceptions.end(), kNotComparedAgain),
                   exceptions.end());
}

void AddExceptions(const state::RestoreRecord& record, state::Certificate* certificate) {
  const state::RestoreOrder& order = record.order();
  const state::PlanSummary& plan = record.intent().plan();
  if (!order.tables().empty()) {
    certificate->add_exceptions(absl::StrCat("limited to these tables by the order: ",
                                             absl::StrJoin(order.tables(), ", ")));
  }
  if (!plan.uncovered_tables().empty()) {
    certificate->add_exceptions(
        absl::StrCat("kept as they were, since the snapshot does not cover them: ",
                     absl::StrJoin(plan.uncovered_tables(), ", ")));
  }
  if (plan.conflict_count() > 0) {
    certificate->add_exceptions(absl::StrCat(
        plan.conflict_count(), " rows that have changed since the restore were left alone"));
  }
  if (plan.shrunken()) {
    certificate->add_exceptions(absl::StrCat("the point has less than half of the ",
                                             plan.peak_rows(), " rows of ", plan.peak_snapshot(),
                                             "; this was accepted in the order"));
  }
  for (const std::string& exception : record.intent().exceptions()) {
    certificate->add_exceptions(exception);
  }
  int64_t kept = 0;
  for (const state::TableSummary& table : plan.tables()) {
    kept += table.kept();
  }
  if (kept > 0) {
    certificate->add_exceptions(absl::StrCat(
        kept,
        " live rows that differ from the point, or are not in it, were kept as the mode says"));
  }
  if (order.mode() == state::MIRROR && order.undo_of().empty()) {
    certificate->add_exceptions(kNotComparedAgain);
  }
}

void AddCounts(const state::PlanSummary& plan, state::Certificate* certificate) {
  for (const state::TableSummary& table : plan.tables()) {
    certificate->set_inserted(certificate->inserted() + table.inserted());
    certificate->set_replaced(certificate->replaced() + table.replaced());
    certificate->set_deleted(certificate->deleted() + table.deleted());
  }
}

}  // namespace

state::Certificate MakeCertificate(const state::RestoreRecord& record,
                                   const StoreIdentity& identity, absl::Time committed,
                                   bool by_evidence) {
  const state::RestoreOrder& order = record.order();
  state::Certificate certificate;
  certificate.set_restore(record.id());
  certificate.set_store(order.store());
  certificate.set_store_identity(identity.id);
  certificate.set_tenant(order.tenant());
  certificate.set_label(record.label());
  *certificate.mutable_point() = order.point();
  certificate.set_mode(order.mode());
  certificate.set_undo_of(order.undo_of());
  certificate.set_committed_us(absl::ToUnixMicros(committed));
  certificate.set_plan_digest(record.intent().plan().digest());
  certificate.set_snapshot_root_digest_hex(record.intent().snapshot_root_digest_hex());
  certificate.set_resolved_by_evidence(by_evidence);
  certificate.set_method(
      "before the commit, in the restore's own transaction, every row of the tenant was read back; "
      "count, bytes and the "
      "128-bit sum of each table equal what the plan was to leave");
  *certificate.mutable_findings() = record.intent().findings();
  AddCounts(record.intent().plan(), &certificate);
  AddExceptions(record, &certificate);
  return certificate;
}

void AddSecondLook(absl::Time when, std::vector<state::TableFinding> differing,
                   state::Certificate* certificate) {
  RemoveNotComparedAgain(certificate);
  certificate->set_second_look_us(absl::ToUnixMicros(when));
  for (state::TableFinding& finding : differing) {
    *certificate->add_second_look() = std::move(finding);
  }
}

void AddMissingSecondLook(const absl::Status& cause, state::Certificate* certificate) {
  RemoveNotComparedAgain(certificate);
  certificate->add_exceptions(absl::StrCat(kNotComparedAgain, ": ", cause.message()));
}

}  // namespace reinstate

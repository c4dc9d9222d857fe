#include "server/restore/restore_planner.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/restore/evidence.h"
#include "server/restore/plan_obstacles.h"
#include "server/restore/plan_writer.h"
#include "server/restore/table_merge.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/digest.h"
#include "storage/model/read_ahead_stream.h"

namespace reinstate {
namespace {

// From how many rows on a table of the point is worth a thread that reads it.
constexpr int64_t kReadAheadRows = 20'000;

// A table that a plan looks at, on both sides.
struct TablePair {
  const MappedTable* live = nullptr;
  const CoveredTable* covered = nullptr;  // null: the snapshot does not cover it
};

bool IsSelected(const state::RestoreOrder& order, const std::string& name) {
  return order.tables().empty() ||
         std::find(order.tables().begin(), order.tables().end(), name) != order.tables().end();
}

Sum SumAtPoint(const TenantManifest& manifest, uint32_t number) {
  for (const TableSum& table : manifest.tables) {
    if (table.number == number) {
      return table.sum;
    }
  }
  return {};
}

// Pairs the tables of both sides by identity and refuses what cannot be paired.
class TablePairing {
 public:
  TablePairing(const state::RestoreOrder& order, const TenantManifest& manifest,
               const TenantMap& live)
      : order_(order), manifest_(manifest), live_(live) {}

  absl::StatusOr<std::vector<TablePair>> Pair(const std::vector<CoveredTable>& covered) {
    std::map<std::string, const CoveredTable*> by_identity;
    for (const CoveredTable& table : covered) {
      by_identity[table.schema.identity] = &table;
      RETURN_IF_ERROR(CheckStillThere(table));
    }
    std::vector<TablePair> pairs;
    for (const MappedTable& table : live_.tables) {
      const auto found = by_identity.find(table.schema.identity);
      const CoveredTable* at_point = found == by_identity.end() ? nullptr : found->second;
      names_.insert(table.schema.name);
      if (IsSelected(order_, table.schema.name) && IsOfTenants(table)) {
        RETURN_IF_ERROR(CheckSameColumns(table, at_point));
        pairs.push_back({.live = &table, .covered = at_point});
      }
    }
    RETURN_IF_ERROR(CheckNames());
    return pairs;
  }

 private:
  static bool IsOfTenants(const MappedTable& table) {
    return table.relation == Relation::kOwned || table.relation == Relation::kUnresolved;
  }

  // A table with rows of this tenant at the point must have a place to go to.
  absl::Status CheckStillThere(const CoveredTable& table) {
    names_.insert(table.schema.name);
    if (!IsSelected(order_, table.schema.name) || SumAtPoint(manifest_, table.number).rows == 0) {
      return absl::OkStatus();
    }
    const MappedTable* live = live_.Find(table.schema.identity);
    if (live != nullptr && live->relation == Relation::kOwned) {
      return absl::OkStatus();
    }
    return MakeError(
        Reason::kTableNotFound,
        absl::StrCat("table ", table.schema.name, " has rows of tenant ", order_.tenant(),
                     " at the point, but is ",
                     live == nullptr ? "gone" : RelationName(live->relation),
                     " in the live store; restore the other tables by naming them with --table"));
  }

  static absl::Status CheckSameColumns(const MappedTable& live, const CoveredTable* covered) {
    if (covered == nullptr || covered->schema.columns == live.schema.columns) {
      return absl::OkStatus();
    }
    return MakeError(
        Reason::kUnsupported,
        absl::StrCat(
            "the columns of table ", live.schema.name,
            " have changed since the snapshot; choose a snapshot after the change, or restore the "
            "other tables by naming them with --table"));
  }

  absl::Status CheckNames() const {
    for (const std::string& name : order_.tables()) {
      if (!names_.contains(name)) {
        return MakeError(Reason::kTableNotFound, absl::StrCat("there is no table ", Printable(name),
                                                              "; see `reinstate store discover`"));
      }
    }
    return absl::OkStatus();
  }

  const state::RestoreOrder& order_;
  const TenantManifest& manifest_;
  const TenantMap& live_;
  std::set<std::string> names_;
};

// What must be equal, besides the actions, for two plans to be the same.
std::string Framing(const state::RestoreOrder& order, const std::vector<TablePair>& pairs) {
  Digest digest;
  digest.Add(order.store());
  digest.Add(order.tenant());
  digest.Add(order.point().snapshot());
  digest.Add(static_cast<uint64_t>(order.mode()));
  for (const TablePair& pair : pairs) {
    digest.Add(pair.live->schema.identity);
    digest.Add(static_cast<uint64_t>(pair.covered != nullptr));
    for (const Column& column : pair.live->schema.columns) {
      digest.Add(column.name);
      digest.Add(column.type);
    }
  }
  return digest.Finish();
}

absl::Status NotePeak(const PointReader& point, const TenantManifest& manifest,
                      state::PlanSummary* summary) {
  ASSIGN_OR_RETURN(const auto peak, point.PeakBefore(manifest.tenant));
  if (peak.has_value()) {
    summary->set_peak_snapshot(peak->snapshot.ToString());
    summary->set_peak_rows(peak->rows);
    summary->set_shrunken(manifest.rows() * 2 < peak->rows);
  }
  return absl::OkStatus();
}

// Plans the tables one after the other.
class TablesPlanner {
 public:
  TablesPlanner(const state::RestoreOrder& order, const RestorePlanner::Sources& sources,
                ProgressMeter* meter, TenantPlan* plan)
      : order_(order), sources_(sources), meter_(meter), plan_(plan), writer_(plan) {}

  absl::Status Plan(const TenantManifest& manifest, const std::vector<TablePair>& pairs) {
    for (const TablePair& pair : pairs) {
      absl::Status status =
          pair.covered != nullptr && pair.covered->owned && pair.live->relation == Relation::kOwned
              ? PlanCovered(manifest, pair)
              : PlanUncovered(pair);
      RETURN_IF_ERROR(WithContext(status, absl::StrCat("table ", pair.live->schema.name)));
    }
    if (sources_.find_conflicts) {
      RETURN_IF_ERROR(PlanObstacles(plan_, sources_.session, &writer_).Find());
    }
    writer_.Finish(Framing(order_, pairs));
    return absl::OkStatus();
  }

 private:
  absl::Status PlanCovered(const TenantManifest& manifest, const TablePair& pair) {
    const TableSchema& schema = pair.live->schema;
    const uint32_t number = pair.covered->number;
    writer_.BeginTable({.identity = schema.identity,
                        .name = schema.name,
                        .number = number,
                        .live = {},
                        .expected = {},
                        .at_point = SumAtPoint(manifest, number),
                        .write_refusal = pair.live->write_refusal,
                        .replace_refusal = pair.live->replace_refusal,
                        .refusal_reason = pair.live->refusal_reason,
                        .may_be_obstructed = pair.live->may_be_obstructed,
                        .is_all_key = IsAllKey(schema)},
                       /*covered=*/true);
    ASSIGN_OR_RETURN(std::unique_ptr<RecordStream> at_point,
                     sources_.point->ReadTable(manifest.tenant, number));
    if (SumAtPoint(manifest, number).rows >= kReadAheadRows) {
      at_point = std::make_unique<ReadAheadStream>(std::move(at_point));
    }
    ASSIGN_OR_RETURN(const std::unique_ptr<RecordStream> live,
                     sources_.session->ReadTable(schema.identity));
    TableMerge merge({.mode = order_.mode(),
                      .table = schema.identity,
                      .look_up_keys = sources_.find_conflicts &&
                                      sources_.store->Capabilities().keys_span_tenants},
                     sources_.session, &writer_, meter_);
    return merge.Run(at_point.get(), live.get());
  }

  // The rows of a table that the snapshot does not cover are kept, in every mode.
  absl::Status PlanUncovered(const TablePair& pair) {
    const TableSchema& schema = pair.live->schema;
    plan_->summary.add_uncovered_tables(schema.name);
    if (pair.live->relation != Relation::kOwned) {
      plan_->summary.add_unresolved_tables(schema.name);
      return absl::OkStatus();
    }
    writer_.BeginTable({.identity = schema.identity, .name = schema.name}, /*covered=*/false);
    ASSIGN_OR_RETURN(const std::unique_ptr<RecordStream> live,
                     sources_.session->ReadTable(schema.identity));
    TableMerge merge(
        {.mode = state::CREATE_MISSING, .table = schema.identity, .look_up_keys = false},
        sources_.session, &writer_, meter_);
    return merge.Run(nullptr, live.get());
  }

  const state::RestoreOrder& order_;
  const RestorePlanner::Sources& sources_;
  ProgressMeter* const meter_;
  TenantPlan* const plan_;
  PlanWriter writer_;
};

}  // namespace

absl::StatusOr<TenantPlan> RestorePlanner::Plan(const state::RestoreOrder& order,
                                                const Sources& sources,
                                                ProgressMeter* meter) const {
  ASSIGN_OR_RETURN(const TenantId tenant, TenantId::Parse(order.tenant()));
  ASSIGN_OR_RETURN(const TenantManifest manifest, sources.point->GetTenant(tenant));
  ASSIGN_OR_RETURN(const TenantMap live, CatalogOf(sources.store, sources.session));
  ASSIGN_OR_RETURN(const std::vector<TablePair> pairs,
                   TablePairing(order, manifest, live).Pair(sources.point->snapshot().tables));
  meter->SetTotals(manifest.rows(), manifest.bytes());
  meter->BeginPass(state::PLANNING, manifest.rows(), manifest.bytes());
  TenantPlan plan(sources.point->hasher(), spill_folder_, memory_bytes_);
  RETURN_IF_ERROR(NotePeak(*sources.point, manifest, &plan.summary));
  RETURN_IF_ERROR(TablesPlanner(order, sources, meter, &plan).Plan(manifest, pairs));
  return plan;
}

}  // namespace reinstate

#include "storage/live/memory/memory_cut.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/labels.h"
#include "storage/live/memory/memory_streams.h"
#include "storage/model/key_parts.h"
#include "storage/model/vector_stream.h"

namespace reinstate {
namespace {

class ShardStream final : public TenantRowStream {
 public:
  ShardStream(MemoryState* state, std::vector<MemoryCut::Run> runs)
      : state_(state), runs_(std::move(runs)) {}

  absl::StatusOr<bool> Next(TenantRow* row) override {
    if (status_.ok()) {
      status_ = state_->Fault("live.cut_next");
    }
    RETURN_IF_ERROR(status_);
    while (run_ < runs_.size()) {
      const MemoryCut::Run& run = runs_[run_];
      if (records_ == nullptr) {
        records_ = std::make_unique<MemoryRecordStream>(run.rows, RowKey());
      }
      ASSIGN_OR_RETURN(const bool found, records_->Next(&row->record));
      if (found) {
        row->tenant = run.tenant;
        row->table = run.table;
        return true;
      }
      records_ = nullptr;
      ++run_;
    }
    return false;
  }

 private:
  MemoryState* const state_;
  const std::vector<MemoryCut::Run> runs_;
  size_t run_ = 0;
  std::unique_ptr<MemoryRecordStream> records_;
  absl::Status status_;
};

// Rows of an unresolved table, whose keys are unique only together with the tenant.
std::shared_ptr<const TableRows> OwnerlessRows(const MemoryView& view, const std::string& table) {
  auto all = std::make_shared<TableRows>();
  for (const auto& [tenant, rows] : view.tenants) {
    const auto records = ShareTable(rows, table);
    for (const auto& [key, payload] : *records) {
      std::string joined;
      AppendKeyPart(tenant, &joined);
      AppendKeyPart(key.bytes(), &joined);
      all->emplace(RowKey(std::move(joined)), payload);
    }
  }
  return all;
}

}  // namespace

TenantMap MapOfView(const MemoryView& view, const MemoryStoreOptions& options) {
  TenantMap map;
  map.label_source = absl::StrCat("table ", options.label_table);
  for (const std::string& table : view.tables) {
    const auto relation = options.relations.find(table);
    map.tables.push_back(
        {.schema = {.identity = table,
                    .name = table,
                    .columns = {{.name = "key", .type = "bytes", .in_key = true},
                                {.name = "value", .type = "bytes"}}},
         .relation = relation == options.relations.end() ? Relation::kOwned : relation->second,
         .how =
             relation == options.relations.end() ? "the tenant of the record" : "set by the test"});
  }
  return map;
}

MemoryCut::MemoryCut(MemoryState* state, int max_shards) : state_(state), view_(state->TakeView()) {
  info_.instant = state->options().clock->Now();
  info_.position = absl::StrCat("write ", view_.sequence);
  info_.map = MapOfView(view_, state->options());
  info_.ordered_by_tenant = true;

  // A new shard begins only where a new tenant does.
  const std::vector<Run> runs = MakeRuns();
  const size_t per_shard = runs.size() / static_cast<size_t>(std::max(max_shards, 1)) + 1;
  shards_.emplace_back();
  for (const Run& run : runs) {
    const std::vector<Run>& last = shards_.back();
    if (last.size() >= per_shard && last.back().tenant != run.tenant) {
      shards_.emplace_back();
    }
    shards_.back().push_back(run);
  }
}

std::vector<MemoryCut::Run> MemoryCut::MakeRuns() const {
  std::vector<Run> runs;
  const std::vector<MappedTable>& tables = info_.map.tables;
  for (uint32_t i = 0; i < tables.size(); ++i) {
    if (tables[i].relation == Relation::kUnresolved) {
      runs.push_back(
          {.tenant = "", .table = i, .rows = OwnerlessRows(view_, tables[i].schema.identity)});
    }
  }
  for (const auto& [tenant, rows] : view_.tenants) {
    for (uint32_t i = 0; i < tables.size(); ++i) {
      if (tables[i].relation == Relation::kOwned) {
        runs.push_back(
            {.tenant = tenant, .table = i, .rows = ShareTable(rows, tables[i].schema.identity)});
      }
    }
  }
  return runs;
}

absl::StatusOr<std::unique_ptr<TenantRowStream>> MemoryCut::OpenShard(int shard) {
  if (shard < 0 || shard >= shards()) {
    return MakeError(Reason::kInvalidArgument, absl::StrCat("the cut has no shard ", shard));
  }
  return std::make_unique<ShardStream>(state_, shards_[static_cast<size_t>(shard)]);
}

absl::StatusOr<int64_t> MemoryCut::CountRows(uint32_t table) {
  if (table >= info_.map.tables.size()) {
    return MakeError(Reason::kTableNotFound, absl::StrCat("the cut has no table ", table));
  }
  int64_t rows = 0;
  for (const auto& [tenant, tables] : view_.tenants) {
    const auto found = tables->find(info_.map.tables[table].schema.identity);
    rows += found == tables->end() ? 0 : static_cast<int64_t>(found->second.size());
  }
  return rows;
}

absl::StatusOr<std::unique_ptr<TenantLabelsStream>> MemoryCut::OpenLabels() {
  std::vector<TenantLabels> all;
  for (const auto& [tenant, rows] : view_.tenants) {
    TenantLabels labels{.tenant = TenantId::FromStored(tenant), .labels = {}};
    const auto records = ShareTable(rows, state_->options().label_table);
    for (const auto& [key, payload] : *records) {
      if (labels.labels.size() < kMaxLabels) {
        labels.labels.push_back(LabelFromPayload(payload));
      }
    }
    if (!labels.labels.empty()) {
      all.push_back(std::move(labels));
    }
  }
  return std::make_unique<LabelsVectorStream>(std::move(all));
}

}  // namespace reinstate

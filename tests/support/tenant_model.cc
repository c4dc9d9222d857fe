#include "tests/support/tenant_model.h"

#include <algorithm>
#include <optional>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

template <typename Stream, typename Item>
class VectorStream : public Stream {
 public:
  explicit VectorStream(std::vector<Item> items) : items_(std::move(items)) {}

  absl::StatusOr<bool> Next(Item* item) override {
    if (next_ == items_.size()) {
      return false;
    }
    *item = items_[next_++];
    return true;
  }

 private:
  const std::vector<Item> items_;
  size_t next_ = 0;
};

std::vector<TenantRow> RowsOf(const std::string& tenant, const TenantModel::Tables& tables) {
  std::vector<TenantRow> rows;
  for (const auto& [table, content] : tables) {
    for (const auto& [key, payload] : content) {
      rows.push_back(
          {.tenant = tenant, .table = table, .record = {.key = RowKey(key), .payload = payload}});
    }
  }
  return rows;
}

absl::Status ReadTenant(const PointReader& reader, const TenantMap& map,
                        const TenantManifest& manifest, TenantModel* model) {
  const std::string& tenant = manifest.tenant.value();
  if (!manifest.labels.empty()) {
    model->labels[tenant] = manifest.labels;
  }
  for (const CoveredTable& table : reader.snapshot().tables) {
    const auto mapped = std::ranges::find(map.tables, table.schema, &MappedTable::schema);
    if (mapped == map.tables.end()) {
      return MakeError(Reason::kInternal, "the snapshot covers a table that is not in the map");
    }
    ASSIGN_OR_RETURN(const std::unique_ptr<RecordStream> stream,
                     reader.ReadTable(manifest.tenant, table.number));
    Record record;
    while (true) {
      ASSIGN_OR_RETURN(const bool found, stream->Next(&record));
      if (!found) {
        break;
      }
      model->tenants[tenant][static_cast<uint32_t>(mapped - map.tables.begin())]
                    [record.key.bytes()] = record.payload;
    }
  }
  return absl::OkStatus();
}

}  // namespace

void TenantModel::Prune() {
  for (auto& [tenant, tables] : tenants) {
    std::erase_if(tables, [](const auto& table) { return table.second.empty(); });
  }
  std::erase_if(tenants, [](const auto& tenant) { return tenant.second.empty(); });
  std::erase_if(labels, [](const auto& entry) { return entry.second.empty(); });
}

int64_t TenantModel::RowsOfTable(uint32_t table) const {
  int64_t rows = 0;
  for (const auto& [tenant, tables] : tenants) {
    const auto found = tables.find(table);
    rows += found == tables.end() ? 0 : static_cast<int64_t>(found->second.size());
  }
  return rows;
}

TenantMap OwnedTables(int tables) {
  TenantMap map;
  for (int i = 0; i < tables; ++i) {
    const std::string name = absl::StrCat("table", i);
    map.tables.push_back({.schema = {.identity = name,
                                     .name = name,
                                     .columns = {{.name = "id", .type = "text", .in_key = true}}},
                          .relation = Relation::kOwned,
                          .how = "by its key"});
  }
  return map;
}

ModelSource::ModelSource(const TenantModel& model, const Options& options)
    : model_(model), options_(options), rows_(options.shards) {
  options_.ordered ? DealOrdered() : DealShuffled();
  auto longest = std::ranges::max_element(
      rows_, [](const auto& a, const auto& b) { return a.size() < b.size(); });
  const auto lost = std::min(options_.rows_lost, static_cast<int64_t>(longest->size()));
  const auto from = longest->begin() + (static_cast<int64_t>(longest->size()) - lost) / 2;
  longest->erase(from, from + lost);
  if (options_.repeat_a_row) {
    longest->insert(longest->begin(), longest->front());
  }
  if (options_.swap_rows) {
    std::swap(longest->at(0), longest->at(1));
  }
}

void ModelSource::DealOrdered() {
  size_t dealt = 0;
  for (const auto& [tenant, tables] : model_.tenants) {
    const std::vector<TenantRow> rows = RowsOf(tenant, tables);
    const size_t shard = dealt++ * options_.shards / model_.tenants.size();
    rows_[shard].insert(rows_[shard].end(), rows.begin(), rows.end());
  }
}

void ModelSource::DealShuffled() {
  std::mt19937_64 random(options_.shuffle_seed);
  for (const auto& [tenant, tables] : model_.tenants) {
    for (TenantRow& row : RowsOf(tenant, tables)) {
      rows_[random() % rows_.size()].push_back(std::move(row));
    }
  }
  for (std::vector<TenantRow>& rows : rows_) {
    std::ranges::shuffle(rows, random);
  }
}

absl::StatusOr<std::unique_ptr<TenantRowStream>> ModelSource::OpenShard(int shard) {
  return std::make_unique<VectorStream<TenantRowStream, TenantRow>>(rows_.at(shard));
}

absl::StatusOr<std::unique_ptr<TenantLabelsStream>> ModelSource::OpenLabels() {
  std::vector<TenantLabels> labels;
  for (const auto& [tenant, names] : model_.labels) {
    labels.push_back({.tenant = TenantId::FromStored(tenant), .labels = names});
  }
  return std::make_unique<VectorStream<TenantLabelsStream, TenantLabels>>(std::move(labels));
}

absl::StatusOr<int64_t> ModelSource::CountRows(uint32_t table) { return model_.RowsOfTable(table); }

absl::StatusOr<TenantModel> ReadSnapshot(const History& history, const SnapshotId& id,
                                         const TenantMap& map) {
  ASSIGN_OR_RETURN(const std::unique_ptr<PointReader> reader, history.OpenPoint(id));
  TenantModel model;
  std::optional<TenantId> after;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<TenantManifest> page, reader->ListTenants(after, 3));
    for (const TenantManifest& manifest : page) {
      RETURN_IF_ERROR(ReadTenant(*reader, map, manifest, &model));
      after = manifest.tenant;
    }
    if (page.empty()) {
      break;
    }
  }
  if (reader->snapshot().ownerless_rows > 0) {
    ASSIGN_OR_RETURN(const TenantManifest nobody, reader->GetTenant(TenantId::Ownerless()));
    RETURN_IF_ERROR(ReadTenant(*reader, map, nobody, &model));
  }
  return model;
}

}  // namespace reinstate

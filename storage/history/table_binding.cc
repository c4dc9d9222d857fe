#include "storage/history/table_binding.h"

#include <algorithm>
#include <functional>
#include <set>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/history/root_codec.h"
#include "storage/model/digest.h"

namespace reinstate {

absl::StatusOr<TableBinding> TableBinding::Bind(const TenantMap& map,
                                                const history::Root& previous) {
  TableBinding binding;
  std::map<std::string, uint32_t> numbers;
  for (const history::LineageTable& table : previous.tables()) {
    numbers[table.identity()] = table.number();
    binding.of_lineage_[table.number()] = table;
    binding.of_lineage_[table.number()].set_covered(false);
  }
  binding.next_schema_id_ = std::max<uint32_t>(previous.next_schema_id(), 1);
  std::set<std::string> seen;
  for (uint32_t index = 0; index < map.tables.size(); ++index) {
    const MappedTable& mapped = map.tables[index];
    if (!seen.insert(mapped.schema.identity).second) {
      return MakeError(Reason::kInvalidArgument,
                       absl::StrCat("The tenant map names table ", mapped.schema.name, " twice."));
    }
    if (mapped.relation != Relation::kOwned && mapped.relation != Relation::kUnresolved) {
      continue;
    }
    const uint32_t unused =
        binding.of_lineage_.empty() ? 1 : binding.of_lineage_.rbegin()->first + 1;
    const uint32_t number = numbers.try_emplace(mapped.schema.identity, unused).first->second;
    history::LineageTable& table = binding.of_lineage_[number];
    const std::string body = SchemaToProto(mapped.schema).SerializeAsString();
    const std::string hash = Digest::Of(body);
    if (table.schema_hash() != hash) {
      table.set_schema_hash(hash);
      table.set_schema_id(binding.next_schema_id_++);
    }
    table.set_number(number);
    table.set_identity(mapped.schema.identity);
    table.set_covered(true);
    table.set_owned(mapped.relation == Relation::kOwned);
    binding.covered_.push_back({.map_index = index,
                                .number = number,
                                .schema_id = table.schema_id(),
                                .name = mapped.schema.name,
                                .schema_hash = hash,
                                .schema_body = body,
                                .owned = table.owned()});
  }
  return binding;
}

const TableBinding::Table* TableBinding::ForMapIndex(uint32_t index) const {
  const auto found = std::ranges::lower_bound(covered_, index, std::less<>(), &Table::map_index);
  return found != covered_.end() && found->map_index == index ? &*found : nullptr;
}

bool TableBinding::numbers_ascend() const {
  return std::ranges::is_sorted(covered_, std::less<>(), &Table::number);
}

std::vector<CoveredTable> TableBinding::CoveredTables(const TenantMap& map) const {
  std::vector<CoveredTable> tables;
  for (const Table& table : covered_) {
    tables.push_back({.number = table.number,
                      .schema = map.tables[table.map_index].schema,
                      .owned = table.owned});
  }
  std::ranges::sort(tables, std::less<>(), &CoveredTable::number);
  return tables;
}

void TableBinding::FillRoot(history::Root* root) const {
  for (const auto& [number, table] : of_lineage_) {
    *root->add_tables() = table;
  }
  root->set_next_schema_id(next_schema_id_);
}

}  // namespace reinstate

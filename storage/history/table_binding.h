#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/history/history.pb.h"
#include "storage/history/snapshot_info.h"
#include "storage/model/tenant_map.h"

namespace reinstate {

// Which number and schema id each table of a tenant map has in its lineage. A number belongs to a
// table's identity for ever; a schema id is new whenever the schema differs from the last one.
// Immutable.
class TableBinding {
 public:
  struct Table {
    uint32_t map_index = 0;
    uint32_t number = 0;
    uint32_t schema_id = 0;
    std::string name;         // for messages
    std::string schema_hash;  // key of the family `schemas`
    std::string schema_body;  // its value, without checksum
    bool owned = true;
  };

  // `previous` is the last root of the lineage; a default one if there is none. INVALID_ARGUMENT if
  // two tables have the same identity.
  static absl::StatusOr<TableBinding> Bind(const TenantMap& map, const history::Root& previous);

  // The covered tables, ascending by index in the map.
  const std::vector<Table>& covered() const { return covered_; }

  // nullptr if the table with that index in the map is not covered.
  const Table* ForMapIndex(uint32_t index) const;

  // Whether the order of the map's indexes is that of the numbers.
  bool numbers_ascend() const;

  // For SnapshotInfo, ascending by number. `map` is the one that was bound.
  std::vector<CoveredTable> CoveredTables(const TenantMap& map) const;

  // What the new root says about tables.
  void FillRoot(history::Root* root) const;

 private:
  TableBinding() = default;

  std::vector<Table> covered_;
  std::map<uint32_t, history::LineageTable> of_lineage_;  // all ever, by number
  uint32_t next_schema_id_ = 1;
};

}  // namespace reinstate

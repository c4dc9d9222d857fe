#pragma once

#include <string>
#include <utility>
#include <vector>

#include "storage/live/postgres/catalog_facts.h"

namespace reinstate {

// Makes catalogs by hand, for tests. OIDs are 100, 101, … in the order of AddTable.
class CatalogBuilder {
 public:
  struct ColumnSpec {
    std::string name;
    std::string type = "bigint";
    bool nullable = false;
    bool generated = false;
  };

  // The key is the primary key.
  PgOid AddTable(const std::string& name, const std::vector<ColumnSpec>& columns,
                 const std::vector<std::string>& key);

  // A unique constraint besides the key.
  void AddUnique(const std::string& table, const std::vector<std::string>& columns);

  // A foreign key named <child>_<first column>_fkey.
  void AddForeignKey(const std::string& child, const std::vector<std::string>& columns,
                     const std::string& parent, const std::vector<std::string>& parent_columns);

  PgTable& Table(const std::string& name);
  PgForeignKey& LastForeignKey() { return catalog_.foreign_keys.back(); }
  const PgCatalog& catalog() const { return catalog_; }

 private:
  std::vector<PgAttnum> Numbers(const std::string& table, const std::vector<std::string>& names);

  PgCatalog catalog_;
};

}  // namespace reinstate

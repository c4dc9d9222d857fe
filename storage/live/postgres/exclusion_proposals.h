#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "storage/live/postgres/catalog_facts.h"
#include "storage/live/postgres/ownership.h"

namespace reinstate {

// Which tables are better left out, by the words of their names: queues, outboxes, sessions,
// tokens, and what migrations keep for themselves. A table that holds rows of tenants is kept in
// doubt: what is left out is in no snapshot, and rows that refer to it cannot come back without it.
// Pure, and immutable once made, so thread-safe. Borrows the map.
class ExclusionProposals {
 public:
  explicit ExclusionProposals(const PgTenantMap& map);

  // Why `table` is proposed as excluded; empty if it is not. A static text.
  std::string_view ReasonFor(const PgTable& table) const;

  // Of an owned table that is kept, a sentence each: why it is not proposed although it is called
  // so, and which of its foreign keys lead to tables that are excluded.
  std::vector<std::string> Remarks(const PgTable& table) const;

 private:
  struct Kept {
    std::string_view reason;
    PgOid child = 0;  // a table that is kept and refers to it
  };

  // Takes out what tables that are kept refer to, until there is nothing left to take out.
  void KeepParents();
  bool IsKept(PgOid table) const;

  const PgTenantMap& map_;
  std::map<PgOid, Relation> relations_;
  std::map<PgOid, std::string_view> reasons_;
  std::map<PgOid, Kept> kept_;  // tables that were taken out
};

}  // namespace reinstate

#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "storage/base/error.h"
#include "storage/model/table_schema.h"

namespace reinstate {

// How a table relates to tenants.
enum class Relation {
  kOwned,       // each row belongs to one tenant
  kShared,      // belongs to all; neither captured nor restored
  kExcluded,    // left out on purpose, with a reason
  kUnresolved,  // not known: restores that would touch it are refused
};

// "owned", "shared", "excluded" or "unresolved".
std::string RelationName(Relation relation);

struct MappedTable {
  TableSchema schema;
  Relation relation = Relation::kUnresolved;
  std::string how;  // owned: the column or path; excluded: the reason; for people

  // The columns of the key in its order, as indexes into schema.columns; empty if the adapter does
  // not tell, or there is no key. Not a part of the digest.
  std::vector<size_t> key_order = {};

  // Why no restore can change rows of the table, with what to do about it, as a clause whose
  // subject is the table ("it has …"). Empty: nothing is in the way. Not a part of the digest.
  std::string write_refusal = {};
  // Why none can replace or delete rows, where rows may still be inserted; in the same way.
  std::string replace_refusal = {};
  Reason refusal_reason = Reason::kUnsupported;  // of both; NOT_ALLOWED for want of a privilege
  // Whether more than its key can be in the way of a row, so that TenantSession::FindObstacles is
  // to be asked before rows are inserted or replaced. Not a part of the digest.
  bool may_be_obstructed = false;

  friend bool operator==(const MappedTable&, const MappedTable&) = default;
};

// Every table of a store and how it relates to tenants. A value.
struct TenantMap {
  std::vector<MappedTable> tables;  // in the store's order, each identity once
  std::string label_source;         // where labels come from, for people, e.g. "table tenant"

  // The table with this identity, or nullptr. Borrowed from this map.
  const MappedTable* Find(const std::string& identity) const;

  // The table with this name, or nullptr.
  const MappedTable* FindByName(const std::string& name) const;

  // SHA-256 (32 bytes) over identities, names and relations, independent of the order of tables.
  std::string Digest() const;
};

}  // namespace reinstate

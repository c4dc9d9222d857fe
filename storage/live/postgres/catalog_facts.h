#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace reinstate {

class PgConnection;

using PgOid = uint32_t;
using PgAttnum = int16_t;  // of a column, from 1

// What compares equal in the server and is the same tenant: columns of one class can be compared
// without a cast, and their texts are the same for the same value.
enum class PgTypeClass { kInteger, kText, kPaddedText, kUuid, kEnum, kOther };

struct PgColumn {
  PgAttnum number = 0;
  std::string name;
  // SQL, with its length; for people and for schemas: without its schema if that is public or the
  // system's, whatever the search_path is.
  std::string type;
  std::string cast_type;  // SQL, without its length: casts to it never cut a value
  PgTypeClass type_class = PgTypeClass::kOther;  // of a domain: of what it is over
  // Whether two values are equal for the server exactly if their texts are the same. Not so for
  // citext, nondeterministic collations, numeric without a scale, float, interval, jsonb, arrays.
  bool text_equality = false;
  bool not_null = false;
  bool generated = false;        // by an expression: in no payload
  std::string generation;        // that expression, SQL over the other columns by bare names
  bool always_identity = false;  // GENERATED ALWAYS AS IDENTITY: no UPDATE may set it

  friend bool operator==(const PgColumn&, const PgColumn&) = default;
};

// One of the values that an index looks at.
struct PgIndexed {
  std::string value;   // SQL over the table's columns, which it has by their bare names
  std::string equals;  // as OPERATOR(schema.name): what two rows must not hold
  bool not_null = false;

  friend bool operator==(const PgIndexed&, const PgIndexed&) = default;
};

struct PgUnique {
  std::string name;
  std::vector<PgAttnum> columns;  // without expressions; empty if there are some
  // What its values depend on: also in expressions, in its predicate and through generated columns,
  // which are not among them.
  std::vector<PgAttnum> inputs;
  bool primary = false;
  bool exclusion = false;
  bool deferrable = false;  // not looked at while triggers are silent
  bool partial = false;     // has a predicate
  bool constraint = false;  // else only an index
  bool nulls_distinct = true;
  std::string definition;  // of the constraint or index, for people
  // What it looks at, and which rows of (SQL by bare names; empty: all). Empty for primary keys,
  // and where an expression takes the row as a whole.
  std::vector<PgIndexed> indexed;
  std::string predicate;

  friend bool operator==(const PgUnique&, const PgUnique&) = default;
};

struct PgForeignKey {
  PgOid oid = 0;
  std::string name;
  PgOid child = 0;          // a table of the catalog; of a partitioned one, its root
  PgOid child_heap = 0;     // the partition that it is declared on, if not on the whole table
  PgOid parent = 0;         // may be a partition, if the key refers to it itself
  PgOid parent_table = 0;   // a table of the catalog: the parent, or its root
  std::string child_part;   // child_heap as SQL; empty if the key is of the whole table
  std::string parent_part;  // likewise, if the parent is a partition
  std::vector<PgAttnum> child_columns;   // numbers of the root's, like parent_columns
  std::vector<PgAttnum> parent_columns;  // as many
  bool validated = true;
  bool deferrable = false;
  bool match_full = false;
  char on_delete =
      'a';  // as in pg_constraint: a no action, r restrict, c cascade, n null, d default
  char on_update = 'a';

  friend bool operator==(const PgForeignKey&, const PgForeignKey&) = default;
};

// A heap that holds rows of a table: the table itself, or a leaf partition of it.
struct PgHeap {
  PgOid oid = 0;
  std::string schema;
  std::string name;
  int64_t pages = 0;    // of 8 KiB, now
  bool by_ctid = true;  // ranges of ctid can be read (not so in foreign tables)

  friend bool operator==(const PgHeap&, const PgHeap&) = default;
};

struct PgSequence {
  std::string schema;
  std::string name;
  PgAttnum column = 0;  // that takes its values

  friend bool operator==(const PgSequence&, const PgSequence&) = default;
};

struct PgPrivileges {
  bool schema_usage = false;
  bool select = false;
  bool insert = false;
  bool update = false;
  bool update_some_column = false;  // enough for SELECT … FOR KEY SHARE
  bool del = false;

  friend bool operator==(const PgPrivileges&, const PgPrivileges&) = default;
};

// A table that is no partition. Partitioned ones stand for all of their leaves.
struct PgTable {
  PgOid oid = 0;
  std::string schema;
  std::string name;
  char kind = 'r';                // as in pg_class: r table, p partitioned, f foreign
  bool inherited_from = false;    // has old-style inheritance children: read with ONLY
  std::string extension;          // that it belongs to; empty for most
  std::vector<PgColumn> columns;  // ascending by number; dropped ones are not there
  // The primary key, deferrable or not; else the columns of a unique index that is valid, immediate
  // and whole and whose columns are all NOT NULL; else empty.
  std::vector<PgAttnum> key;
  std::vector<PgUnique> uniques;
  std::vector<PgAttnum> index_leads;  // columns that a whole index begins with
  std::vector<PgHeap> heaps;
  std::vector<PgSequence> sequences;
  std::vector<std::string> firing;  // triggers and rules that are ENABLE ALWAYS or REPLICA, there
                                    // or on a leaf: they fire in a restore
  // Deferrable constraints that a single partition has: not looked at while triggers are silent.
  std::vector<std::string> part_deferrables;
  // Of a partitioned table in which some row may find no partition: what each leaf takes, SQL by
  // bare names, and the columns that it depends on (empty: any).
  bool may_lack_partition = false;
  std::vector<std::string> bounds;
  std::vector<PgAttnum> bound_columns;
  bool row_security = false;  // enabled, and it applies to this role
  // Published with its updates or deletions, without what says to others which row is meant: the
  // server refuses both, there or in a leaf.
  bool lacks_replica_identity = false;
  double estimated_rows = -1;  // the planner's; below zero: not known
  int64_t estimated_bytes = 0;
  PgPrivileges privileges;  // of the current role

  friend bool operator==(const PgTable&, const PgTable&) = default;

  // Without "public."; for people and as TableSchema::name.
  std::string DisplayName() const;
  // "schema"."name".
  std::string Sql() const;
  // nullptr if there is none. Borrowed.
  const PgColumn* Column(PgAttnum number) const;
  const PgColumn* ColumnByName(const std::string& column) const;
  // Columns of a payload: not generated, ascending by number.
  std::vector<const PgColumn*> PayloadColumns() const;
  // Whether a unique constraint or index, immediate and whole, covers exactly these columns.
  bool IsUnique(const std::vector<PgAttnum>& columns) const;
  // Whether an index begins with one of these columns.
  bool HasIndexOn(const std::vector<PgAttnum>& columns) const;
};

// What the catalog of one database says, as of one view. A value.
struct PgCatalog {
  std::vector<PgTable> tables;             // ascending by schema and name; not those of the system
  std::vector<PgForeignKey> foreign_keys;  // ascending by child and name
  std::string fingerprint;                 // of ReadCatalogFingerprint, in the same view

  // nullptr if there is none. Borrowed.
  const PgTable* Find(PgOid table) const;
  // The table itself, or that which has it as a leaf; nullptr if there is none. Borrowed.
  const PgTable* FindByHeap(PgOid table_or_leaf) const;
  // The table with this name, with or without its schema, or as PgTable::Sql writes it; nullptr if
  // there is none, or if it could be several: without a schema if none of them is in public, and if
  // a.b is both the table b of the schema a and a table of that name.
  const PgTable* FindByName(const std::string& name) const;
  // A name by which FindByName finds `table`: DisplayName if it can be.
  std::string NameOf(const PgTable& table) const;
};

// Whether two catalogs say the same of `tables`, which one of them has, and of all foreign keys
// from and to them, but for what is estimated.
bool SameTables(const PgCatalog& one, const PgCatalog& other, const std::set<PgOid>& tables);

// Reads the catalog in the current transaction of `connection`. Looks at no rows. Fails with
// NOT_ALLOWED if the role may not read the catalogs.
absl::StatusOr<PgCatalog> ReadCatalog(PgConnection* connection);

}  // namespace reinstate

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/made_up_text.h"
#include "tests/support/plain_database.h"
#include "tests/support/restore_world.h"

namespace reinstate {

// An application with a schema and a history that nobody has thought of: 1 to 8 tables, owned by a
// column or by a path of foreign keys, with keys of several kinds or none, columns of common types,
// enumerations, domains, generated and identity columns, unique values over all tenants (deferrable
// ones too), partitions, references that may be NULL, cascades. The same seed gives the same. Not
// thread-safe.
class RandomApplication {
 public:
  explicit RandomApplication(uint64_t seed);

  // The statements that make its tables.
  std::string SchemaSql() const;

  // What its tables have, by name, and how often: those of AllFeatures().
  std::map<std::string, int> Features() const;
  static const std::vector<std::string>& AllFeatures();

  // Unique values are from now on others than those so far.
  void UseFreshUniqueValues() { first_unique_ += 1'000'000; }

  // Whether no unique value is there twice in `model`.
  bool HoldsUniqueValues(const StoreModel& model) const;

  // The ids of its tenants, whose type is random as well.
  const std::vector<std::string>& tenants() const { return tenants_; }

  // One random insertion, or (unless `only_insert`) update or deletion, of rows of a tenant. May
  // fail for a constraint, as applications' statements do; deletions may cascade.
  std::string RandomStatement(const std::string& tenant, bool only_insert);

  // Deletes rows of a tenant at random, or all of them, children first.
  std::vector<std::string> DeleteStatements(const std::string& tenant, bool all);

  // Every row of every tenant by plain SQL: table, key -> line of COPY. Rows of tables without a
  // key are numbered where they are equal.
  absl::StatusOr<StoreModel> Read(PlainDatabase* database) const;

 private:
  enum class Key { kBigint, kUuid, kText, kOfTenant, kNone };
  struct Column {
    std::string name;
    std::string type;
    std::string clause = "";      // of its definition, after the type
    bool is_given = true;         // else the server makes its values
    bool has_few_values = false;  // its values, or what is made of them, may have to be unique
    bool is_unique = false;       // over all tenants
  };
  struct Table {
    std::string name;
    Key key = Key::kBigint;
    int parent = -1;     // the table that its path leads to first; -1: it has the tenant's column
    int reference = -1;  // a table that it may refer to besides; -1: none
    bool partitioned = false;
    bool cascades = false;  // what becomes of the row when that is deleted; else it is set to NULL
    std::vector<Column> data;
  };

  Table RandomTable(int number);
  void AddColumns(Table* table);
  // What tells a row of this alias from all others of its table.
  static std::string At(const std::string& alias);
  bool CanBeParent(int table) const { return tables_[table].key != Key::kNone; }
  std::string KeyType(Key key) const;
  std::vector<Column> KeyColumns(int table) const;
  // How rows of the table refer to its parent.
  std::vector<Column> ParentColumns(int table) const;
  std::vector<std::string> ColumnNames(int table, bool only_given = false) const;
  std::vector<std::string> ColumnDefinitions(int table) const;
  // Its rows with their owner, and their place as `at`.
  std::string OwnedSql(int table) const;
  // The place of one row of the tenant.
  std::string AnyRow(int table, const std::string& tenant);
  std::string NewKey(Key key, const std::string& tenant);
  std::string RandomValue(const Column& column);
  std::string RandomValueOf(const std::string& type);
  std::string InsertSql(int table, const std::string& tenant);
  std::string UpdateSql(int table, const std::string& tenant);

  SplitMix random_;
  const MadeUpText text_;
  std::string tenant_type_;
  std::vector<std::string> tenants_;
  std::vector<Table> tables_;
  int64_t next_key_ = 1;
  uint64_t first_unique_ = 0;
};

}  // namespace reinstate

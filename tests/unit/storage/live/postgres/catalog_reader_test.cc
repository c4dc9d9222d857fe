#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "storage/live/postgres/catalog_facts.h"
#include "storage/live/postgres/pg_connection.h"
#include "tests/support/postgres_server.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CatalogReaderTest : public ::testing::Test {
 protected:
  CatalogReaderTest() {
    PgOptions options;
    options.conninfo = server_->OnSocket(database_);
    connection_ = *PgConnection::Connect(options);
  }

  void Run(const std::string& sql) { ASSERT_THAT(connection_->Execute("set up", sql), IsOk()); }

  PgCatalog Read() {
    EXPECT_THAT(connection_->Begin({.repeatable_read = true, .read_only = true}), IsOk());
    absl::StatusOr<PgCatalog> catalog = ReadCatalog(connection_.get());
    EXPECT_THAT(catalog, IsOk());
    EXPECT_THAT(connection_->Rollback(), IsOk());
    return *std::move(catalog);
  }

  static std::vector<std::string> Names(const PgCatalog& catalog) {
    std::vector<std::string> names;
    for (const PgTable& table : catalog.tables) {
      names.push_back(table.DisplayName());
    }
    return names;
  }

  PostgresServer* const server_ = PostgresServer::Shared();
  const std::string database_ = server_->MakeDatabase();
  std::unique_ptr<PgConnection> connection_;
};

TEST_F(CatalogReaderTest, SeesTablesAtTheirRootsAndNothingOfTheSystem) {
  Run("CREATE SCHEMA app; CREATE TABLE app.b(i int); CREATE TABLE a(i int);"
      "CREATE TEMP TABLE gone(i int); CREATE VIEW v AS SELECT 1;"
      "CREATE MATERIALIZED VIEW m AS SELECT 1; CREATE UNLOGGED TABLE u(i int);"
      "CREATE TABLE p(i int) PARTITION BY LIST (i);"
      "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1) PARTITION BY LIST (i);"
      "CREATE TABLE p11 PARTITION OF p1 FOR VALUES IN (1);"
      "CREATE TABLE p2 PARTITION OF p DEFAULT");
  const PgCatalog catalog = Read();
  EXPECT_THAT(Names(catalog), ElementsAre("app.b", "a", "p", "u"));
  const PgTable& p = *catalog.FindByName("p");
  EXPECT_EQ(p.kind, 'p');
  ASSERT_EQ(p.heaps.size(), 2);
  EXPECT_EQ(p.heaps[0].name, "p11");
  EXPECT_EQ(p.heaps[1].name, "p2");
  EXPECT_EQ(catalog.FindByHeap(p.heaps[0].oid), &p);
  EXPECT_EQ(catalog.FindByName("b"), catalog.FindByName("app.b"));
}

TEST_F(CatalogReaderTest, TypesHaveTheSameNameUnderEachSearchPath) {
  Run("CREATE SCHEMA \"a b\"; CREATE TYPE \"a b\".mood AS ENUM ('x'); CREATE DOMAIN short AS text;"
      "CREATE TABLE t(a \"a b\".mood, b \"a b\".mood[], c short, d varchar(9)[], e \"char\")");
  for (const char* const path : {"public", "\"a b\"", "\"a b\", public", "pg_catalog"}) {
    Run(absl::StrCat("SET search_path = ", path));
    std::vector<std::string> types;
    const PgCatalog catalog = Read();
    for (const PgColumn& column : catalog.FindByName("t")->columns) {
      types.push_back(column.type);
    }
    EXPECT_THAT(types, ElementsAre("\"a b\".mood", "\"a b\".mood[]", "short",
                                   "character varying(9)[]", "\"char\""))
        << path;
  }
}

TEST_F(CatalogReaderTest, ClassifiesTypesByHowTheirValuesCompare) {
  Run("CREATE TYPE mood AS ENUM ('x'); CREATE DOMAIN slug AS text; CREATE DOMAIN fine AS slug;"
      "CREATE DOMAIN cents AS numeric(10,2);"
      "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
      "CREATE TABLE t(a int, b varchar(9), c char(4), d uuid, e mood, f fine, g cents, h numeric,"
      " i text COLLATE loose, j float8, k jsonb, l timestamptz, m int[], n interval, o bytea,"
      " p name)");
  const PgCatalog catalog = Read();
  std::map<std::string, std::pair<PgTypeClass, bool>> found;
  for (const PgColumn& column : catalog.tables[0].columns) {
    found[column.name] = {column.type_class, column.text_equality};
  }
  using enum PgTypeClass;
  const std::map<std::string, std::pair<PgTypeClass, bool>> expected = {
      {"a", {kInteger, true}}, {"b", {kText, true}},   {"c", {kPaddedText, true}},
      {"d", {kUuid, true}},    {"e", {kEnum, true}},   {"f", {kText, true}},
      {"g", {kOther, true}},   {"h", {kOther, false}}, {"i", {kOther, false}},
      {"j", {kOther, false}},  {"k", {kOther, false}}, {"l", {kOther, true}},
      {"m", {kOther, false}},  {"n", {kOther, false}}, {"o", {kOther, true}},
      {"p", {kText, true}}};
  EXPECT_EQ(found, expected);
  // A cast to varchar(9) would cut a value, one to character would leave one letter.
  EXPECT_EQ(catalog.tables[0].ColumnByName("b")->type, "character varying(9)");
  EXPECT_EQ(catalog.tables[0].ColumnByName("b")->cast_type, "character varying");
  EXPECT_EQ(catalog.tables[0].ColumnByName("c")->cast_type, "bpchar");
}

TEST_F(CatalogReaderTest, ChoosesThePrimaryKeyElseAUniqueIndexThatIsAsGood) {
  Run("CREATE TABLE a(x int, y int, PRIMARY KEY (y, x));"
      "CREATE TABLE b(x int NOT NULL, y int); CREATE UNIQUE INDEX ON b(x);"
      "CREATE TABLE c(x int); CREATE UNIQUE INDEX ON c(x);"
      "CREATE TABLE d(x int NOT NULL); CREATE UNIQUE INDEX ON d(x) WHERE x > 0;"
      "CREATE TABLE e(x text NOT NULL); CREATE UNIQUE INDEX ON e(lower(x));"
      "CREATE TABLE f(x int NOT NULL UNIQUE DEFERRABLE);"
      "CREATE TABLE g(x int PRIMARY KEY DEFERRABLE);"
      "CREATE TABLE h(x int, y int GENERATED ALWAYS AS (x + 1) STORED PRIMARY KEY);"
      "CREATE TABLE i(x int NOT NULL, y text); CREATE UNIQUE INDEX ON i(x) INCLUDE (y)");
  const PgCatalog catalog = Read();
  EXPECT_THAT(catalog.FindByName("a")->key, ElementsAre(2, 1));
  EXPECT_THAT(catalog.FindByName("b")->key, ElementsAre(1));
  for (const char* const table : {"c", "d", "e", "f", "h"}) {
    EXPECT_THAT(catalog.FindByName(table)->key, IsEmpty()) << table;
  }
  EXPECT_THAT(catalog.FindByName("g")->key, ElementsAre(1));
  EXPECT_TRUE(catalog.FindByName("g")->uniques[0].deferrable);
  EXPECT_THAT(catalog.FindByName("i")->key, ElementsAre(1));
}

TEST_F(CatalogReaderTest, SeesWhatTheValuesOfAnIndexDependOn) {
  Run("CREATE TABLE t(id int PRIMARY KEY, a text, b text, c int, d int,"
      "  g text GENERATED ALWAYS AS (lower(a) || c) STORED, during int4range,"
      "  CONSTRAINT apart EXCLUDE USING gist (during WITH &&) WHERE (d > 0));"
      "CREATE UNIQUE INDEX by_expression ON t(lower(b)); CREATE UNIQUE INDEX partial ON t(a) "
      "WHERE d > 0; CREATE UNIQUE INDEX generated ON t(g)");
  const PgCatalog catalog = Read();
  std::map<std::string, std::vector<PgAttnum>> inputs;
  for (const PgUnique& unique : catalog.tables[0].uniques) {
    inputs[unique.name] = unique.inputs;
    std::sort(inputs[unique.name].begin(), inputs[unique.name].end());
  }
  const std::map<std::string, std::vector<PgAttnum>> expected = {{"apart", {5, 7}},
                                                                 {"by_expression", {3}},
                                                                 {"generated", {2, 4}},
                                                                 {"partial", {2, 5}},
                                                                 {"t_pkey", {1}}};
  EXPECT_EQ(inputs, expected);
}

TEST_F(CatalogReaderTest, TellsATableWithADotFromATableOfASchema) {
  Run("CREATE SCHEMA a; CREATE TABLE a.b(i int); CREATE TABLE \"a.b\"(i int);"
      "CREATE TABLE a.c(i int)");
  const PgCatalog catalog = Read();
  EXPECT_EQ(catalog.FindByName("a.b"), nullptr) << "it could be either";
  const PgTable* const of_schema = catalog.FindByName("\"a\".\"b\"");
  const PgTable* const with_dot = catalog.FindByName("public.a.b");
  ASSERT_NE(of_schema, nullptr);
  ASSERT_NE(with_dot, nullptr);
  EXPECT_EQ(of_schema->schema, "a");
  EXPECT_EQ(with_dot->schema, "public");
  EXPECT_EQ(catalog.NameOf(*of_schema), "\"a\".\"b\"");
  EXPECT_EQ(catalog.FindByName(catalog.NameOf(*with_dot)), with_dot);
  EXPECT_EQ(catalog.NameOf(*catalog.FindByName("c")), "a.c");
}

TEST_F(CatalogReaderTest, DroppedColumnsLeaveTheirNumberBehind) {
  Run("CREATE TABLE t(a int, b int, c int PRIMARY KEY, d int GENERATED ALWAYS AS IDENTITY,"
      " e int GENERATED ALWAYS AS (c) STORED); ALTER TABLE t DROP COLUMN a");
  const PgCatalog catalog = Read();
  const PgTable& table = catalog.tables[0];
  EXPECT_THAT(table.key, ElementsAre(3));
  EXPECT_EQ(table.columns[0].name, "b");
  EXPECT_EQ(table.columns[0].number, 2);
  EXPECT_TRUE(table.ColumnByName("d")->always_identity);
  EXPECT_TRUE(table.ColumnByName("e")->generated);
  EXPECT_EQ(table.PayloadColumns().size(), 3);
}

TEST_F(CatalogReaderTest, SeesForeignKeysAtTheRootsOfPartitionsWithTheRootsColumns) {
  Run("CREATE TABLE parent(x int, y int, PRIMARY KEY (x, y));"
      "CREATE TABLE child(junk int, a int, b int, k int NOT NULL) PARTITION BY LIST (k);"
      "CREATE TABLE leaf(k int NOT NULL, b int, a int, junk int);"
      "ALTER TABLE child ATTACH PARTITION leaf DEFAULT;"
      "ALTER TABLE child ADD CONSTRAINT whole FOREIGN KEY (b, a) REFERENCES parent(x, y) "
      "  ON DELETE CASCADE ON UPDATE SET NULL DEFERRABLE;"
      "ALTER TABLE leaf ADD CONSTRAINT part FOREIGN KEY (a, b) REFERENCES parent MATCH FULL;");
  const PgCatalog catalog = Read();
  ASSERT_EQ(catalog.foreign_keys.size(), 2);
  const PgForeignKey& part = catalog.foreign_keys[0];
  const PgForeignKey& whole = catalog.foreign_keys[1];
  EXPECT_EQ(part.child_heap, catalog.FindByName("child")->heaps[0].oid);
  EXPECT_EQ(part.child_part, "public.leaf");
  EXPECT_THAT(part.child_columns, ElementsAre(2, 3));
  EXPECT_TRUE(part.match_full);
  EXPECT_EQ(whole.child, catalog.FindByName("child")->oid);
  EXPECT_EQ(whole.child_heap, 0);
  EXPECT_EQ(whole.child_part, "");
  EXPECT_EQ(whole.parent_table, whole.parent);
  EXPECT_THAT(whole.child_columns, ElementsAre(3, 2));
  EXPECT_THAT(whole.parent_columns, ElementsAre(1, 2));
  EXPECT_EQ(whole.on_delete, 'c');
  EXPECT_EQ(whole.on_update, 'n');
  EXPECT_TRUE(whole.deferrable);
}

TEST_F(CatalogReaderTest, AForeignKeyToAPartitionedTableIsOne) {
  Run("CREATE TABLE p(x int PRIMARY KEY) PARTITION BY LIST (x);"
      "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
      "CREATE TABLE p2 PARTITION OF p DEFAULT;"
      "CREATE TABLE c(x int REFERENCES p); CREATE TABLE d(x int REFERENCES p1)");
  const PgCatalog catalog = Read();
  ASSERT_EQ(catalog.foreign_keys.size(), 2);
  EXPECT_EQ(catalog.foreign_keys[0].parent, catalog.FindByName("p")->oid);
  EXPECT_EQ(catalog.foreign_keys[1].parent, catalog.FindByName("p")->heaps[0].oid);
  EXPECT_EQ(catalog.foreign_keys[1].parent_table, catalog.FindByName("p")->oid);
  EXPECT_EQ(catalog.foreign_keys[1].parent_part, "public.p1");
  EXPECT_EQ(catalog.foreign_keys[0].parent_part, "");
}

TEST_F(CatalogReaderTest, NamesDeferrableConstraintsThatAPartitionDoesNotHaveFromItsTable) {
  Run("CREATE TABLE p(x int, y int UNIQUE DEFERRABLE) PARTITION BY LIST (y);"
      "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);"
      "ALTER TABLE p1 ADD CONSTRAINT own UNIQUE (x) DEFERRABLE, ADD UNIQUE (x)");
  EXPECT_THAT(Read().tables[0].part_deferrables, ElementsAre("own of partition p1"));
}

TEST_F(CatalogReaderTest, TwoCatalogsAreTheSameButForTheirEstimates) {
  Run("CREATE TABLE t(a int)");
  const PgCatalog before = Read();
  Run("INSERT INTO t SELECT generate_series(1, 10000); ANALYZE t");
  Run("CREATE TABLE another(a int)");
  const std::set<PgOid> tables = {before.tables[0].oid};
  EXPECT_TRUE(SameTables(before, Read(), tables));
  Run("ALTER TABLE t ADD COLUMN b int");
  EXPECT_FALSE(SameTables(before, Read(), tables));
}

TEST_F(CatalogReaderTest, ListsWhatFiresInARestoreSequencesAndPolicies) {
  Run("CREATE TABLE t(a serial, b int GENERATED BY DEFAULT AS IDENTITY, c int);"
      "CREATE SEQUENCE loose; ALTER TABLE t ALTER c SET DEFAULT nextval('loose');"
      "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
      "CREATE TRIGGER quiet BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();"
      "CREATE TRIGGER loud BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();"
      "ALTER TABLE t ENABLE ALWAYS TRIGGER loud;"
      "CREATE RULE r AS ON DELETE TO t DO ALSO NOTHING; ALTER TABLE t ENABLE REPLICA RULE r;"
      "CREATE PUBLICATION everything FOR TABLE t; ALTER TABLE t REPLICA IDENTITY NOTHING");
  const PgCatalog catalog = Read();
  const PgTable& table = catalog.tables[0];
  EXPECT_THAT(table.firing, ElementsAre("rule r", "trigger loud"));
  ASSERT_EQ(table.sequences.size(), 3);
  EXPECT_EQ(table.sequences[0].name, "t_a_seq");
  EXPECT_EQ(table.sequences[1].name, "t_b_seq");
  EXPECT_EQ(table.sequences[2].name, "loose");
  EXPECT_EQ(table.sequences[2].column, 3);
  EXPECT_TRUE(table.lacks_replica_identity);
  EXPECT_FALSE(table.row_security);
}

TEST_F(CatalogReaderTest, TellsThePrivilegesAndPoliciesOfTheRoleThatAsks) {
  Run("CREATE TABLE secret(a int, b int); CREATE TABLE guarded(a int);"
      "ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;"
      "CREATE ROLE " +
      database_ + "; GRANT SELECT ON guarded TO " + database_ + "; GRANT UPDATE (b) ON secret TO " +
      database_ + "; SET ROLE " + database_);
  const PgCatalog catalog = Read();
  const PgPrivileges of_secret = {.schema_usage = true, .update_some_column = true};
  EXPECT_EQ(catalog.FindByName("secret")->privileges, of_secret);
  EXPECT_TRUE(catalog.FindByName("guarded")->privileges.select);
  EXPECT_FALSE(catalog.FindByName("guarded")->privileges.insert);
  EXPECT_TRUE(catalog.FindByName("guarded")->row_security);
}

TEST_F(CatalogReaderTest, GivesThePlannersEstimatesAndThePagesOfNow) {
  Run("CREATE TABLE t(a int); INSERT INTO t SELECT generate_series(1, 10000);");
  EXPECT_LT(Read().tables[0].estimated_rows, 0);
  Run("ANALYZE t; INSERT INTO t SELECT generate_series(1, 10000)");
  const PgCatalog catalog = Read();
  EXPECT_EQ(catalog.tables[0].estimated_rows, 10000);
  EXPECT_GT(catalog.tables[0].heaps[0].pages, 60);
  EXPECT_GT(catalog.tables[0].estimated_bytes, 60 * 8192);
}

TEST_F(CatalogReaderTest, OldStyleChildrenAreTablesOfTheirOwn) {
  Run("CREATE TABLE base(a int); CREATE TABLE more(b int) INHERITS (base)");
  const PgCatalog catalog = Read();
  EXPECT_TRUE(catalog.FindByName("base")->inherited_from);
  EXPECT_FALSE(catalog.FindByName("more")->inherited_from);
}

}  // namespace
}  // namespace reinstate

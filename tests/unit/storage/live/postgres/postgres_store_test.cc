#include "storage/live/postgres/postgres_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/postgres_server.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

class PostgresStoreTest : public ::testing::Test {
 protected:
  PostgresStoreTest() {
    PgOptions connection;
    connection.conninfo = server_->OnSocket(database_);
    connection_ = *PgConnection::Connect(connection);
    options_.connection.conninfo = server_->OnSocket(database_);
    options_.allow_superuser = true;
    options_.map.tenant_table = "sites";
    options_.map.tenant_columns = {"site_id"};
    Run("CREATE TABLE sites(id uuid PRIMARY KEY, name text);"
        "CREATE TABLE issues(id bigint PRIMARY KEY, site_id uuid NOT NULL);"
        "CREATE TABLE comments(id bigint PRIMARY KEY, issue bigint REFERENCES issues);"
        "CREATE INDEX ON issues(site_id); CREATE INDEX ON comments(issue)");
  }

  void Run(const std::string& sql) { ASSERT_THAT(connection_->Execute("set up", sql), IsOk()); }

  static std::string Id(int n) { return absl::StrCat("00000000-0000-0000-0000-00000000000", n); }

  // Site n has n * 100 issues with two comments each.
  void Fill() {
    Run("INSERT INTO sites SELECT ('00000000-0000-0000-0000-00000000000' || i)::uuid, 'Site '"
        "  FROM generate_series(1, 5) i;"
        "INSERT INTO issues SELECT s * 1000 + i, "
        "  ('00000000-0000-0000-0000-00000000000' || s)::uuid"
        "  FROM generate_series(1, 5) s, generate_series(1, s * 100) i;"
        "INSERT INTO comments SELECT i.id * 10 + n, i.id FROM issues i, generate_series(1, 2) n;"
        "INSERT INTO comments VALUES (1, NULL); ANALYZE");
  }

  std::unique_ptr<PostgresStore> Open() { return PostgresStore::Create(options_); }

  PostgresServer* const server_ = PostgresServer::Shared();
  const std::string database_ = server_->MakeDatabase();
  std::unique_ptr<PgConnection> connection_;
  PostgresStoreOptions options_;
};

TEST_F(PostgresStoreTest, TwoDatabasesOfOneClusterAreTwoStores) {
  const auto store = Open();
  const auto identity = store->Identity();
  ASSERT_THAT(identity, IsOk());
  EXPECT_THAT(identity->address, HasSubstr(database_));
  EXPECT_EQ(*store->Identity(), *identity);
  options_.connection.conninfo = server_->OnSocket(server_->MakeDatabase());
  EXPECT_NE(Open()->Identity()->id, identity->id);
}

TEST_F(PostgresStoreTest, SaysHowEachTableIsOwned) {
  const auto map = Open()->Catalog();
  ASSERT_THAT(map, IsOk());
  EXPECT_EQ(map->tables[0].schema.name, "comments");
  EXPECT_EQ(map->FindByName("comments")->how, "through (issue) -> issues by its column site_id");
  EXPECT_EQ(map->FindByName("sites")->relation, Relation::kOwned);
}

TEST_F(PostgresStoreTest, SaysWhichTablesCannotBeWrittenTo) {
  Run("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
      "CREATE TRIGGER mailing AFTER INSERT ON issues FOR EACH ROW EXECUTE FUNCTION f();"
      "ALTER TABLE issues ENABLE ALWAYS TRIGGER mailing;"
      "CREATE TABLE stays(id bigint PRIMARY KEY, site_id uuid, during int4range,"
      "  CONSTRAINT apart EXCLUDE USING gist (during WITH &&) DEFERRABLE)");
  const auto map = Open()->Catalog();
  ASSERT_THAT(map, IsOk());
  EXPECT_THAT(map->FindByName("issues")->write_refusal, HasSubstr("trigger mailing"));
  EXPECT_THAT(map->FindByName("stays")->write_refusal, HasSubstr("constraint apart"));
  EXPECT_EQ(map->FindByName("comments")->write_refusal, "");
  const auto discovery = Open()->Discover();
  ASSERT_THAT(discovery, IsOk());
  for (size_t i = 0; i < discovery->findings.size(); ++i) {
    const std::string& name = discovery->map.tables[i].schema.name;
    const std::vector<std::string>& remarks = discovery->findings[i].remarks;
    if (name == "issues" || name == "stays") {
      EXPECT_THAT(remarks, Contains(HasSubstr("cannot be restored"))) << name;
    } else {
      EXPECT_THAT(remarks, Each(Not(HasSubstr("cannot be restored")))) << name;
    }
  }
  for (const char* const name : {"issues", "public.issues"}) {
    options_.may_fire = {name};
    EXPECT_EQ(Open()->Catalog()->FindByName("issues")->write_refusal, "") << name;
  }
  options_.may_fire = {"isues"};
  const absl::Status typo = Open()->Catalog().status();
  EXPECT_THAT(typo, FailsWith(Reason::kConfigInvalid));
  EXPECT_THAT(std::string(typo.message()), HasSubstr("may_fire: There is no table isues"));
}

TEST_F(PostgresStoreTest, SaysWhoseRowsCannotBeReplacedForWantOfAReplicaIdentity) {
  Run("CREATE TABLE none(id bigint PRIMARY KEY, site_id uuid);"
      "ALTER TABLE none REPLICA IDENTITY NOTHING;"
      "CREATE TABLE no_key(site_id uuid); CREATE TABLE whole(site_id uuid);"
      "ALTER TABLE whole REPLICA IDENTITY FULL;"
      "CREATE TABLE only_new(site_id uuid);"
      "CREATE PUBLICATION all_of_it FOR TABLE none, no_key, whole, issues;"
      "CREATE PUBLICATION insertions FOR TABLE only_new WITH (publish = 'insert')");
  const auto map = Open()->Catalog();
  ASSERT_THAT(map, IsOk());
  for (const char* const table : {"none", "no_key"}) {
    EXPECT_THAT(map->FindByName(table)->replace_refusal, HasSubstr("REPLICA IDENTITY FULL"))
        << table;
    EXPECT_EQ(map->FindByName(table)->write_refusal, "") << "rows may be inserted";
  }
  for (const char* const table : {"whole", "issues", "only_new"}) {
    EXPECT_EQ(map->FindByName(table)->replace_refusal, "") << table;
  }
}

TEST_F(PostgresStoreTest, ReadsAndChangesNothingOfAnotherDatabaseThanTheOneItExpects) {
  const auto store = Open();
  const TenantId tenant = TenantId::FromStored(Id(1));
  store->Expect(store->Identity()->id);
  EXPECT_THAT(store->OpenTenant(tenant, {}), IsOk());
  EXPECT_THAT(store->OpenCut({}), IsOk());

  // As if the name of the server had come to lead to another one.
  const std::string other = server_->MakeDatabase();
  auto connection = *PgConnection::Connect({.conninfo = server_->OnSocket(other)});
  store->Expect(*connection->ReadIdentity());
  EXPECT_THAT(store->OpenTenant(tenant, {}), FailsWith(Reason::kStoreIdentityChanged));
  EXPECT_THAT(store->OpenCut({}), FailsWith(Reason::kStoreIdentityChanged));
  EXPECT_THAT(store->CountTenants(), FailsWith(Reason::kStoreIdentityChanged));
  EXPECT_THAT(store->CountRowsOf({}), FailsWith(Reason::kStoreIdentityChanged));
  store->Expect(store->Identity()->id);
  EXPECT_THAT(store->OpenTenant(tenant, {}), IsOk()) << "once somebody has confirmed it";
}

TEST_F(PostgresStoreTest, RefusesAMapThatDoesNotFitTheTables) {
  options_.map.shared = {"nowhere"};
  EXPECT_THAT(Open()->Catalog(), FailsWith(Reason::kConfigInvalid));
}

TEST_F(PostgresStoreTest, CountsEveryTenantsRowsInTheOrderOfIds) {
  Fill();
  const auto counts = Open()->CountTenants();
  ASSERT_THAT(counts, IsOk());
  TenantCount count;
  for (int n = 1; n <= 5; ++n) {
    ASSERT_TRUE(*(*counts)->Next(&count));
    EXPECT_EQ(count.tenant.value(), Id(n));
    EXPECT_EQ(count.rows, 1 + n * 300);
  }
  EXPECT_FALSE(*(*counts)->Next(&count));
  EXPECT_FALSE(*(*counts)->Next(&count));
}

TEST_F(PostgresStoreTest, CountsTheRowsOfThoseThatAreNamed) {
  Fill();
  const auto store = Open();
  const std::vector<TenantId> tenants = {TenantId::FromStored(Id(5)), TenantId::FromStored(Id(9)),
                                         TenantId::FromStored(Id(2))};
  EXPECT_THAT(*store->CountRowsOf(tenants), testing::ElementsAre(1501, 0, 601));
  const std::vector<TenantId> no_id = {TenantId::FromStored("acme")};
  EXPECT_THAT(store->CountRowsOf(no_id), FailsWith(Reason::kTenantIdInvalid));
}

TEST_F(PostgresStoreTest, CountsNobodyInAnEmptyStore) {
  const auto counts = Open()->CountTenants();
  ASSERT_THAT(counts, IsOk());
  TenantCount count;
  EXPECT_FALSE(*(*counts)->Next(&count));
}

TEST_F(PostgresStoreTest, EstimatesByThePlanner) {
  Fill();
  const auto store = Open();
  const auto estimate = store->EstimateTenant(*TenantId::Parse(Id(4)));
  ASSERT_THAT(estimate, IsOk());
  EXPECT_GT(estimate->rows, 300);
  EXPECT_LT(estimate->rows, 5000);
  EXPECT_GT(estimate->bytes, estimate->rows);
}

TEST_F(PostgresStoreTest, EstimatesByANewMapAfterTheTablesChanged) {
  Fill();
  const auto store = Open();
  ASSERT_THAT(store->EstimateTenant(*TenantId::Parse(Id(4))), IsOk());
  Run("DROP TABLE comments");
  EXPECT_THAT(store->EstimateTenant(*TenantId::Parse(Id(4))), IsOk());
}

TEST_F(PostgresStoreTest, ASecondSpellingOfAnIdIsNoOtherTenant) {
  const auto store = Open();
  const TenantId id = *TenantId::Parse("abcdefab-0000-0000-0000-000000000000");
  const TenantId upper = *TenantId::Parse("{ABCDEFAB-0000-0000-0000-000000000000}");
  EXPECT_EQ(*store->CanonicalTenant(upper), id);
  EXPECT_EQ(*store->CanonicalTenant(id), id);
  const auto session = store->OpenTenant(upper, {});
  ASSERT_THAT(session, IsOk());
  EXPECT_THAT(store->OpenTenant(id, {.purpose = "", .lock_timeout = absl::ZeroDuration()}),
              FailsWith(Reason::kTenantBusy))
      << "it has one lock";
  const TenantId none = *TenantId::Parse("acme");
  EXPECT_THAT(store->CanonicalTenant(none), FailsWith(Reason::kTenantIdInvalid));
  EXPECT_THAT(store->OpenTenant(none, {}), FailsWith(Reason::kTenantIdInvalid));
  EXPECT_THAT(store->EstimateTenant(none), FailsWith(Reason::kTenantIdInvalid));
}

TEST_F(PostgresStoreTest, SpellsAnIdByTheTypeThatItHas) {
  const auto spelled = [this](const std::string& type, const std::string& text) {
    Run(absl::StrCat("DROP TABLE IF EXISTS accounts; CREATE TABLE accounts(id ", type,
                     " PRIMARY KEY)"));
    options_.map = {};
    options_.map.tenant_table = "accounts";
    const auto tenant = Open()->CanonicalTenant(*TenantId::Parse(text));
    return tenant.ok() ? tenant->value() : ReasonOf(tenant.status());
  };
  EXPECT_EQ(spelled("bigint", "007"), "7");
  EXPECT_EQ(spelled("bigint", " 7 "), "7");
  EXPECT_EQ(spelled("bigint", "7.0"), "TENANT_ID_INVALID");
  EXPECT_EQ(spelled("bigint", "99999999999999999999"), "TENANT_ID_INVALID");
  EXPECT_EQ(spelled("bigint", "1'); DROP TABLE sites; --"), "TENANT_ID_INVALID");
  EXPECT_EQ(spelled("text", " 007 "), " 007 ") << "a text is what it is";
  EXPECT_EQ(spelled("varchar(4)", "longer"), "longer") << "it is never cut to another one's id";
  EXPECT_EQ(spelled("char(8)", "acme    "), "acme");
  Run("CREATE DOMAIN number AS bigint CHECK (VALUE > 0); CREATE TYPE plan AS ENUM ('a', 'b')");
  EXPECT_EQ(spelled("number", "+12"), "12");
  EXPECT_EQ(spelled("plan", "b"), "b");
  EXPECT_EQ(spelled("plan", "c"), "TENANT_ID_INVALID");
}

TEST_F(PostgresStoreTest, ComesBackAfterItsConnectionsWereEnded) {
  const auto store = Open();
  ASSERT_THAT(store->Identity(), IsOk());
  Run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
      "WHERE application_name = 'reinstate' AND datname = current_database() "
      "AND pid <> pg_backend_pid()");
  EXPECT_THAT(store->Identity(), IsOk());
  EXPECT_TRUE(store->ProbeHealth().writable);
}

TEST_F(PostgresStoreTest, AServerThatIsDownIsUnavailable) {
  options_.connection.conninfo = "host=127.0.0.1 port=1 dbname=x";
  const auto store = Open();
  EXPECT_THAT(store->Identity(), FailsWith(Reason::kUnavailable));
  EXPECT_FALSE(store->ProbeHealth().writable);
}

TEST_F(PostgresStoreTest, TakesNoCutBeforeSomethingSaysWhatTenantsAre) {
  options_.map = {};
  const auto store = Open();
  EXPECT_THAT(store->Catalog(), IsOk());
  EXPECT_THAT(store->OpenCut({}), FailsWith(Reason::kTableUnresolved));
}

TEST_F(PostgresStoreTest, RefusesASuperuserUnlessToldOtherwise) {
  options_.allow_superuser = false;
  EXPECT_THAT(Open()->Identity(), FailsWith(Reason::kNotAllowed));
  EXPECT_THAT(Open()->OpenTenant(*TenantId::Parse(Id(1)), {}), FailsWith(Reason::kNotAllowed));
}

}  // namespace
}  // namespace reinstate

// The role that deploy/postgres/role.sql makes can do all that is needed, and what it lacks is
// named.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/base/status_macros.h"
#include "storage/live/postgres/postgres_store.h"
#include "tests/support/postgres_server.h"
#include "tests/support/status_matchers.h"
#include "tests/support/subprocess.h"

namespace reinstate {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RoleTest : public ::testing::Test {
 protected:
  RoleTest() {
    superuser_ = Connect("postgres");
    // The application owns its tables, functions and sequences, and gives nothing to everybody.
    Run(absl::StrCat("CREATE ROLE ", owner_, " LOGIN; GRANT CREATE ON DATABASE ", database_, " TO ",
                     owner_, "; GRANT CREATE ON SCHEMA public TO ", owner_, "; SET ROLE ", owner_,
                     "; CREATE SCHEMA app; ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS "
                     "FROM PUBLIC; "
                     "CREATE FUNCTION app.is_fine(text) RETURNS boolean IMMUTABLE LANGUAGE sql AS "
                     "'SELECT $1 <> ''bad'''; "
                     "CREATE TABLE sites(id bigint PRIMARY KEY, name text); "
                     "CREATE TABLE countries(code text PRIMARY KEY); "
                     "CREATE TABLE job_queue(id bigint PRIMARY KEY, site_id bigint); "
                     "CREATE TABLE app.users(id bigserial PRIMARY KEY, site_id bigint NOT NULL "
                     "  REFERENCES sites, country text REFERENCES countries, "
                     "  nick text CHECK (app.is_fine(nick))); "
                     "INSERT INTO sites VALUES (1, 'Acme'), (2, 'Other'); "
                     "INSERT INTO countries VALUES ('de'); "
                     "INSERT INTO app.users(site_id, country, nick) VALUES (1, 'de', 'ann'), "
                     "  (2, 'de', 'bob'); RESET ROLE"));
    options_.connection.conninfo = ConninfoFor(role_);
    options_.map.tenant_table = "sites";
    options_.map.tenant_columns = {"site_id"};
    options_.map.label_columns = {"name"};
    options_.map.shared = {"countries"};
    options_.map.excluded = {{"job_queue", "restored jobs would run again"}};
  }

  std::string ConninfoFor(const std::string& role) {
    return absl::StrCat(server_->OnSocket(database_), " user=", role);
  }

  std::unique_ptr<PgConnection> Connect(const std::string& role) {
    PgOptions options;
    options.conninfo = ConninfoFor(role);
    return *PgConnection::Connect(options);
  }

  void Run(const std::string& sql) { ASSERT_THAT(superuser_->Execute("set up", sql), IsOk()); }

  // Runs the script as its first lines say.
  void MakeRole() {
    auto psql =
        Subprocess::Start({"/usr/lib/postgresql/15/bin/psql", "--no-psqlrc", "-v", "role=" + role_,
                           "-v", "schemas=public,app", "-v", "read_only=countries,job_queue", "-f",
                           REINSTATE_ROLE_SQL, server_->OnSocket(database_)},
                          {});
    ASSERT_THAT(psql, IsOk());
    EXPECT_EQ((*psql)->WaitForEnd(), 0) << (*psql)->Err();
    EXPECT_THAT((*psql)->Err(), IsEmpty());
  }

  std::unique_ptr<PostgresStore> Open() { return PostgresStore::Create(options_); }

  static absl::StatusOr<int> RowsOf(LiveStore* store) {
    ASSIGN_OR_RETURN(const std::unique_ptr<Cut> cut, store->OpenCut({.max_shards = 2}));
    int rows = 0;
    for (int shard = 0; shard < cut->shards(); ++shard) {
      ASSIGN_OR_RETURN(const auto stream, cut->OpenShard(shard));
      TenantRow row;
      while (true) {
        ASSIGN_OR_RETURN(const bool more, stream->Next(&row));
        if (!more) {
          break;
        }
        ++rows;
      }
    }
    return rows;
  }

  // Gives the user of site 1 another name.
  static absl::Status ChangeTenant(LiveStore* store) {
    return Apply(store, ChangeKind::kReplace, "1\t1\tde\tagain");
  }

  static absl::Status DeleteUser(LiveStore* store) { return Apply(store, ChangeKind::kDelete, ""); }

  // Changes the user of site 1.
  static absl::Status Apply(LiveStore* store, ChangeKind kind, const std::string& payload) {
    ASSIGN_OR_RETURN(const auto session, store->OpenTenant(*TenantId::Parse("1"), {}));
    RETURN_IF_ERROR(session->Begin());
    ASSIGN_OR_RETURN(const TenantMap map, store->Catalog());
    const std::string table = map.FindByName("app.users")->schema.identity;
    Record old;
    {
      ASSIGN_OR_RETURN(const auto stream, session->ReadTable(table));
      RETURN_IF_ERROR(stream->Next(&old).status());
    }
    RETURN_IF_ERROR(session->Apply({.kind = kind,
                                    .table = table,
                                    .key = old.key,
                                    .old_payload = old.payload,
                                    .new_payload = payload}));
    RETURN_IF_ERROR(session->Seal().status());
    return session->Commit(absl::Now() + absl::Seconds(20));
  }

  PostgresServer* const server_ = PostgresServer::Shared();
  const std::string database_ = server_->MakeDatabase();
  const std::string role_ = database_ + "_reinstate";
  const std::string owner_ = database_ + "_owner";
  std::unique_ptr<PgConnection> superuser_;
  PostgresStoreOptions options_;
};

TEST_F(RoleTest, CanDiscoverCutCountAndRestore) {
  MakeRole();
  const auto store = Open();
  EXPECT_THAT(store->Identity(), IsOk());
  const auto found = store->Discover();
  ASSERT_THAT(found, IsOk());
  for (const TableFinding& finding : found->findings) {
    EXPECT_THAT(finding.remarks, IsEmpty());
  }
  EXPECT_EQ(*RowsOf(store.get()), 4);
  EXPECT_THAT(store->CountTenants(), IsOk());
  EXPECT_THAT(store->EstimateTenant(*TenantId::Parse("1")), IsOk());
  EXPECT_TRUE(store->ProbeHealth().writable);
  options_.health.max_commit_latency = absl::Nanoseconds(1);
  EXPECT_EQ(Open()->ProbeHealth().pressure, "commit_latency") << "it may measure commits";
  EXPECT_THAT(ChangeTenant(store.get()), IsOk());
  EXPECT_EQ(superuser_->Query("look", "SELECT nick FROM app.users WHERE site_id = 1")->Get(0, 0),
            "again");
}

TEST_F(RoleTest, TheScriptCanBeRunAgainAndMakesNoSuperuser) {
  MakeRole();
  MakeRole();
  const auto role =
      superuser_->Query("look",
                        "SELECT rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolreplication "
                        "FROM pg_roles WHERE rolname = $1",
                        {role_});
  for (int column = 0; column < 5; ++column) {
    EXPECT_FALSE(role->GetBool(0, column)) << column;
  }
}

TEST_F(RoleTest, CannotChangeWhatIsSharedOrExcluded) {
  MakeRole();
  for (const char* const sql :
       {"DELETE FROM countries", "INSERT INTO countries VALUES ('fr')", "DELETE FROM job_queue"}) {
    EXPECT_THAT(Connect(role_)->Execute("try", sql), FailsWith(Reason::kNotAllowed)) << sql;
  }
}

TEST_F(RoleTest, ATableOfTheNextMigrationIsReadAtOnce) {
  MakeRole();
  Run(absl::StrCat("SET ROLE ", owner_,
                   "; CREATE TABLE app.later(id int PRIMARY KEY, site_id "
                   "bigint); INSERT INTO app.later VALUES (1, 1); RESET ROLE"));
  EXPECT_EQ(*RowsOf(Open().get()), 5);
}

TEST_F(RoleTest, BypassesPoliciesWhereThereAreSome) {
  MakeRole();
  Run("ALTER TABLE app.users ENABLE ROW LEVEL SECURITY");
  const absl::Status refused = RowsOf(Open().get()).status();
  EXPECT_THAT(refused, FailsWith(Reason::kNotAllowed));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("BYPASSRLS, since app.users"));
  MakeRole();
  EXPECT_EQ(*RowsOf(Open().get()), 4);
}

TEST_F(RoleTest, ARestoreIsRefusedWherePoliciesHideRows) {
  MakeRole();
  Run("ALTER TABLE app.users ENABLE ROW LEVEL SECURITY");
  const absl::Status refused = ChangeTenant(Open().get());
  EXPECT_THAT(refused, FailsWith(Reason::kNotAllowed));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("BYPASSRLS"));
  EXPECT_EQ(Connect(role_)->Query("look", "SELECT count(*) FROM app.users")->Get(0, 0), "0")
      << "what a plain statement sees, for which the tenant would have no users";
  MakeRole();
  EXPECT_THAT(ChangeTenant(Open().get()), IsOk());
}

// Whether somebody refers to a row that is to be deleted must be asked, also of a table that is
// never restored.
TEST_F(RoleTest, ARestoreIsRefusedWhereChildrenCannotBeSeen) {
  Run(absl::StrCat("SET ROLE ", owner_,
                   "; CREATE TABLE app.visits(id int PRIMARY KEY, user_id bigint REFERENCES "
                   "app.users ON DELETE RESTRICT); INSERT INTO app.visits VALUES (1, 1); "
                   "RESET ROLE"));
  MakeRole();
  Run(absl::StrCat("REVOKE ALL ON app.visits FROM ", role_));
  options_.map.excluded["app.visits"] = "not worth it";
  const absl::Status refused = DeleteUser(Open().get());
  EXPECT_THAT(refused, FailsWith(Reason::kNotAllowed));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("visits"));
  const auto naive = Connect(role_);
  ASSERT_THAT(naive->Execute("delete",
                             "SET session_replication_role = replica; "
                             "DELETE FROM app.users WHERE site_id = 1"),
              IsOk());
  EXPECT_EQ(superuser_
                ->Query("look",
                        "SELECT count(*) FROM app.visits v LEFT JOIN app.users u ON "
                        "u.id = v.user_id WHERE u.id IS NULL")
                ->Get(0, 0),
            "1")
      << "what a plain statement with silent triggers leaves behind";
}

TEST_F(RoleTest, NamesThePrivilegesThatACutLacks) {
  MakeRole();
  Run(absl::StrCat("REVOKE SELECT ON sites FROM ", role_, "; REVOKE USAGE ON SCHEMA app FROM ",
                   role_));
  const absl::Status refused = RowsOf(Open().get()).status();
  EXPECT_THAT(refused, FailsWith(Reason::kNotAllowed));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("SELECT on sites"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("USAGE on the schema app"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("role.sql"));
}

TEST_F(RoleTest, NamesThePrivilegeThatTheIdentityLacks) {
  MakeRole();
  Run(absl::StrCat("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC, ", role_));
  const absl::Status refused = Open()->Identity().status();
  EXPECT_THAT(refused, FailsWith(Reason::kNotAllowed));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("pg_control_system"));
  Run("GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC");
}

TEST_F(RoleTest, NamesThePrivilegeThatARestoreLacks) {
  MakeRole();
  Run(absl::StrCat("REVOKE SET ON PARAMETER session_replication_role FROM ", role_));
  const absl::Status no_silence = ChangeTenant(Open().get());
  EXPECT_THAT(no_silence, FailsWith(Reason::kNotAllowed));
  EXPECT_THAT(std::string(no_silence.message()), HasSubstr("session_replication_role"));
  Run(absl::StrCat("GRANT SET ON PARAMETER session_replication_role TO ", role_,
                   "; REVOKE UPDATE ON app.users FROM ", role_));
  const absl::Status no_update = ChangeTenant(Open().get());
  EXPECT_THAT(no_update, FailsWith(Reason::kNotAllowed));
  EXPECT_THAT(std::string(no_update.message()), HasSubstr("users"));
}

TEST_F(RoleTest, ASuperuserIsRefused) {
  options_.connection.conninfo = server_->OnSocket(database_);
  const absl::Status refused = Open()->Identity().status();
  EXPECT_THAT(refused, FailsWith(Reason::kNotAllowed));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("superuser"));
}

}  // namespace
}  // namespace reinstate

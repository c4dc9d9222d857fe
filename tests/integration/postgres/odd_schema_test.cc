// Schemas with what a restore cannot do, or must look at twice: the plan says so, by name.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "storage/live/postgres/postgres_store.h"
#include "tests/support/plain_database.h"
#include "tests/support/postgres_server.h"
#include "tests/support/restore_world.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using ::testing::HasSubstr;

// Tenants are told by columns named site.
class PostgresOddSchema : public testing::Test {
 protected:
  PostgresOddSchema()
      : conninfo_(PostgresServer::Shared()->OnSocket(PostgresServer::Shared()->MakeDatabase())),
        database_(*PlainDatabase::Connect(conninfo_)) {
    options_.connection.conninfo = conninfo_;
    options_.allow_superuser = true;
    options_.map.tenant_columns = {"site"};
  }

  void Run(const std::string& sql) { ASSERT_THAT(database_->Run(sql), IsOk()) << sql; }
  std::string Value(const std::string& sql) { return database_->Value(sql).value_or("(none)"); }

  void TakeSnapshot() {
    store_ = PostgresStore::Create(options_);
    world_ = std::make_unique<RestoreWorld>(store_.get(), nullptr);
    point_ = world_->TakeSnapshot();
  }

  state::RestoreOrder Order(const std::string& tenant,
                            state::Mode mode = state::CREATE_MISSING) const {
    return RestoreWorld::Order(tenant, point_, mode);
  }
  absl::StatusOr<state::PlanSummary> Plan(const state::RestoreOrder& order) {
    RunControl control;
    return world_->engine()->Plan(order, store_.get(), &control);
  }

  void ExpectRefused(const state::RestoreOrder& order, const std::string& names) {
    const absl::Status status = Plan(order).status();
    EXPECT_THAT(status, FailsWith(Reason::kUnsupported));
    EXPECT_THAT(std::string(status.message()), HasSubstr(names));
  }
  void ExpectRestored(const state::RestoreOrder& order) {
    const state::RestoreRecord restore = world_->Restore(order);
    EXPECT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
  }

  const std::string conninfo_;
  const std::unique_ptr<PlainDatabase> database_;
  PostgresStoreOptions options_;
  std::unique_ptr<PostgresStore> store_;
  std::unique_ptr<RestoreWorld> world_;
  SnapshotInfo point_;
};

TEST_F(PostgresOddSchema, APlanSaysThatATriggerWouldFire) {
  Run("CREATE TABLE issues (id int PRIMARY KEY, site text);"
      "CREATE TABLE notes (id int PRIMARY KEY, site text);"
      "INSERT INTO issues SELECT g, 'a' FROM generate_series(1, 5) g;"
      "INSERT INTO notes SELECT * FROM issues;"
      "CREATE TABLE outbox (mail text);"
      "CREATE FUNCTION send() RETURNS trigger LANGUAGE plpgsql AS "
      "  $$BEGIN INSERT INTO outbox VALUES (NEW.id); RETURN NEW; END$$;"
      "CREATE TRIGGER mailing AFTER INSERT ON issues FOR EACH ROW EXECUTE FUNCTION send();"
      "ALTER TABLE issues ENABLE ALWAYS TRIGGER mailing");
  options_.map.shared = {"outbox"};
  TakeSnapshot();
  Run("DELETE FROM notes");
  EXPECT_THAT(Plan(Order("a")), IsOk()) << "issues is as it was";
  Run("DELETE FROM issues WHERE id = 3");
  ExpectRefused(Order("a"), "trigger mailing");
  ExpectRefused(Order("a"), "may_fire");
  state::RestoreOrder without = Order("a");
  without.add_tables("notes");
  ExpectRestored(without);
  EXPECT_EQ(Value("SELECT count(*) FROM outbox"), "0");
}

TEST_F(PostgresOddSchema, APlanSaysThatARuleWouldFire) {
  Run("CREATE TABLE issues (id int PRIMARY KEY, site text); INSERT INTO issues VALUES (1, 'a');"
      "CREATE RULE keep AS ON DELETE TO issues DO INSTEAD NOTHING;"
      "ALTER TABLE issues ENABLE REPLICA RULE keep");
  TakeSnapshot();
  EXPECT_THAT(Plan(Order("a", state::MIRROR)), IsOk());
  Run("INSERT INTO issues VALUES (2, 'a')");
  EXPECT_THAT(Plan(Order("a")), IsOk()) << "what came later is kept";
  ExpectRefused(Order("a", state::MIRROR), "rule keep");
}

TEST_F(PostgresOddSchema, APlanSaysThatAnExclusionCannotBeChecked) {
  Run("CREATE TABLE stays (id int PRIMARY KEY, site text, during int4range,"
      "  CONSTRAINT apart EXCLUDE USING gist (during WITH &&) DEFERRABLE);"
      "INSERT INTO stays VALUES (1, 'a', '[1,5)'), (2, 'b', '[5,9)')");
  TakeSnapshot();
  Run("DELETE FROM stays WHERE id = 1; UPDATE stays SET during = '[4,9)'");
  ExpectRefused(Order("a"), "exclusion constraint apart");

  // At once it is the server that checks it.
  Run("ALTER TABLE stays DROP CONSTRAINT apart, ADD CONSTRAINT apart EXCLUDE USING gist (during "
      "WITH &&)");
  EXPECT_THAT(Plan(Order("a")), IsOk());
  EXPECT_EQ(world_->Restore(Order("a")).failure().reason(), "KEY_CONFLICT");
  Run("UPDATE stays SET during = '[5,9)'");
  ExpectRestored(Order("a"));
}

TEST_F(PostgresOddSchema, AnOrphanComesBackUnderAKeyThatWasNeverCheckedIfThatIsAllowed) {
  Run("CREATE TABLE plans (id int PRIMARY KEY); INSERT INTO plans VALUES (1);"
      "CREATE TABLE issues (id int PRIMARY KEY, site text, plan int);"
      "INSERT INTO issues VALUES (1, 'a', 1), (2, 'a', 77), (3, 'a', NULL);"
      "ALTER TABLE issues ADD CONSTRAINT of_plan FOREIGN KEY (plan) REFERENCES plans NOT VALID");
  options_.map.shared = {"plans"};
  TakeSnapshot();
  const auto discovery = store_->Discover();
  ASSERT_THAT(discovery, IsOk());
  for (size_t i = 0; i < discovery->map.tables.size(); ++i) {
    EXPECT_THAT(discovery->findings[i].remarks,
                testing::SizeIs(discovery->map.tables[i].schema.name == "issues" ? 1 : 0));
  }
  Run("DELETE FROM issues");
  const state::RestoreRecord refused = world_->Restore(Order("a"));
  EXPECT_EQ(refused.failure().reason(), "KEY_CONFLICT");
  EXPECT_THAT(refused.failure().message(), HasSubstr("foreign key of_plan"));
  EXPECT_EQ(Value("SELECT count(*) FROM issues"), "0");

  Run("SET session_replication_role = replica;"
      "INSERT INTO issues VALUES (1, 'a', 1), (2, 'a', 77), (3, 'a', NULL);"
      "RESET session_replication_role");
  options_.map.orphans = {"issues"};
  TakeSnapshot();
  Run("DELETE FROM issues");
  ExpectRestored(Order("a"));
  EXPECT_EQ(Value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM issues"), "1 2 3");

  // Of the path to the owner it is nobody's, which a snapshot does not take silently.
  Run("CREATE TABLE comments (id int PRIMARY KEY, issue int NOT NULL);"
      "INSERT INTO comments VALUES (1, 1), (2, 99);"
      "ALTER TABLE comments ADD FOREIGN KEY (issue) REFERENCES issues NOT VALID");
  const auto cut = store_->OpenCut({});
  ASSERT_THAT(cut, IsOk());
  TenantRow row;
  absl::StatusOr<bool> more = true;
  const auto rows = (*cut)->OpenShard(0);
  ASSERT_THAT(rows, IsOk());
  while (more.ok() && *more) {
    more = (*rows)->Next(&row);
  }
  EXPECT_FALSE(more.ok());
  EXPECT_THAT(std::string(more.status().message()), HasSubstr("comments"));
}

}  // namespace
}  // namespace reinstate

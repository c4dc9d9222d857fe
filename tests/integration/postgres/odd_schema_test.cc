// Schemas with what a restore cannot do, or must look at twice: the plan says so, by name.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/live/postgres/postgres_store.h"
#include "storage/model/key_text.h"
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

TEST_F(PostgresOddSchema, APlanNamesRowsWhoseUniqueValuesAreTaken) {
  Run("CREATE TABLE users (id int PRIMARY KEY, site text, email text, nick text);"
      "CREATE UNIQUE INDEX users_email ON users (lower(email));"
      "CREATE UNIQUE INDEX users_nick ON users (nick) WHERE nick <> '';"
      "INSERT INTO users VALUES (1, 'a', 'ann', ''), (2, 'a', 'bob', 'b'), (3, 'a', 'cid', 'c'),"
      "  (4, 'a', 'dan', ''), (9, 'b', 'other', '')");
  options_.map.ownerless = {"users"};
  TakeSnapshot();
  Run("DELETE FROM users WHERE site = 'a' AND id < 4;"
      "UPDATE users SET email = 'ANN' WHERE id = 9;"
      "INSERT INTO users VALUES (20, 'a', 'new', 'b'), (21, NULL, 'CID', '')");
  const auto plan = Plan(Order("a"));
  ASSERT_THAT(plan, IsOk());
  std::vector<std::string> conflicts;
  for (const state::Sample& conflict : plan->conflicts()) {
    conflicts.push_back(absl::StrCat(conflict.table(), " ", PrintableKey(conflict.key()), " ",
                                     conflict.action(), " ", conflict.constraint(), " ",
                                     state::Holder_Name(conflict.holder())));
  }
  EXPECT_THAT(conflicts, testing::ElementsAre("users 1 taken users_email OTHER_TENANT",
                                              "users 2 taken users_nick THIS_TENANT",
                                              "users 3 taken users_email NOBODY"));
  EXPECT_EQ(plan->conflict_count(), 3);
  EXPECT_EQ(plan->tables(0).inserted(), 0);
  EXPECT_EQ(plan->tables(0).conflicts(), 3);
  EXPECT_EQ(plan->rows_to_change(), 0);
  EXPECT_THAT(plan->samples(), testing::SizeIs(1)) << "what is kept";

  const state::RestoreRecord refused = world_->Restore(Order("a"));
  EXPECT_EQ(refused.failure().reason(), "KEY_CONFLICT");
  EXPECT_THAT(refused.failure().message(),
              HasSubstr("row 1 of table users (users_email: a row of another tenant)"));
  EXPECT_EQ(refused.attempts(), 2) << "one to run into the first, one to name them";
  EXPECT_EQ(Value("SELECT count(*) FROM users WHERE site = 'a'"), "2");

  // A mirror takes the tenant's own row out of the way.
  Run("DELETE FROM users WHERE id = 21; UPDATE users SET email = 'other' WHERE id = 9");
  ExpectRestored(Order("a", state::MIRROR));
  EXPECT_EQ(Value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM users"), "1 2 3 4 9");
}

TEST_F(PostgresOddSchema, APlanNamesRowsThatLostTheirOwner) {
  Run("CREATE TABLE projects (id int PRIMARY KEY, site text);"
      "CREATE TABLE tasks (id int PRIMARY KEY, project int, title text);"
      "CREATE TABLE notes (id int PRIMARY KEY, of_type text, of_id int);"
      "INSERT INTO projects VALUES (1, 'a'), (2, 'a'), (3, 'b');"
      "INSERT INTO tasks VALUES (1, 1, 'x'), (2, 1, 'y'), (3, 2, 'z'), (4, 3, 'x');"
      "INSERT INTO notes VALUES (1, 'task', 1), (2, 'project', 2), (3, 'task', 4)");
  options_.map.references = {
      {.table = "tasks", .columns = {"project"}, .parent = "projects", .parent_columns = {"id"}}};
  options_.map.owner_expressions = {
      {"notes",
       "CASE of_type WHEN 'project' THEN (SELECT site FROM projects p WHERE p.id = t.of_id) ELSE "
       "(SELECT site FROM tasks s JOIN projects p ON p.id = s.project WHERE s.id = t.of_id) END"}};
  TakeSnapshot();
  Run("DELETE FROM projects WHERE site = 'a'; DELETE FROM tasks WHERE id = 3");
  const auto plan = Plan(Order("a"));
  ASSERT_THAT(plan, IsOk());
  std::vector<std::string> conflicts;
  for (const state::Sample& conflict : plan->conflicts()) {
    EXPECT_EQ(conflict.holder(), state::NOBODY);
    conflicts.push_back(absl::StrCat(conflict.table(), " ", PrintableKey(conflict.key())));
  }
  EXPECT_THAT(conflicts, testing::UnorderedElementsAre("tasks 1", "tasks 2", "notes 1", "notes 2"));
  EXPECT_EQ(world_->Restore(Order("a")).failure().reason(), "KEY_CONFLICT");

  Run("DELETE FROM tasks WHERE id < 3; DELETE FROM notes WHERE id < 3");
  ExpectRestored(Order("a"));
  EXPECT_EQ(Value("SELECT string_agg(title, ' ' ORDER BY id) FROM tasks"), "x y z x");
  EXPECT_EQ(Value("SELECT count(*) FROM notes"), "3");
}

TEST_F(PostgresOddSchema, AnUndoLeavesRowsAloneThatHaveLostTheirOwnerSince) {
  Run("CREATE TABLE projects (id int PRIMARY KEY, site text);"
      "CREATE TABLE tasks (id int PRIMARY KEY, project int);"
      "INSERT INTO projects VALUES (1, 'a'), (2, 'a'), (3, 'b');"
      "INSERT INTO tasks VALUES (1, 1), (2, 2), (3, 3)");
  options_.map.references = {
      {.table = "tasks", .columns = {"project"}, .parent = "projects", .parent_columns = {"id"}}};
  TakeSnapshot();
  Run("DELETE FROM tasks WHERE id < 3; DELETE FROM projects WHERE site = 'a'");
  const state::RestoreRecord restore = world_->Restore(Order("a"));
  ASSERT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
  Run("DELETE FROM projects WHERE id = 1");
  EXPECT_EQ(world_->Undo(restore).failure().reason(), "UNDO_CONFLICT");
  const state::RestoreRecord undo = world_->Undo(restore, /*skip_conflicts=*/true);
  EXPECT_EQ(undo.state(), state::SUCCEEDED) << undo.failure().message();
  EXPECT_EQ(Value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM tasks"), "1 3");
  EXPECT_EQ(Value("SELECT string_agg(id::text, ' ' ORDER BY id) FROM projects"), "3");
}

TEST_F(PostgresOddSchema, ARowWhoseOwnerAnExpressionLooksUpGoesWithWhatItLooksAt) {
  Run("CREATE TABLE projects (id int PRIMARY KEY, site text);"
      "CREATE TABLE notes (id int PRIMARY KEY, of_id int, body text);"
      "INSERT INTO projects VALUES (1, 'a'), (2, 'b');"
      "INSERT INTO notes VALUES (1, 1, 'x'), (2, 2, 'y')");
  options_.map.owner_expressions = {
      {"notes", "(SELECT site FROM projects p WHERE p.id = t.of_id)"}};
  TakeSnapshot();
  Run("DELETE FROM notes WHERE id = 1; DELETE FROM projects WHERE id = 1");
  const state::RestoreRecord restore = world_->Restore(Order("a"));
  ASSERT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
  const state::RestoreRecord undo = world_->Undo(restore);
  EXPECT_EQ(undo.state(), state::SUCCEEDED) << undo.failure().message();
  EXPECT_EQ(Value("SELECT string_agg(id::text, ' ') FROM notes"), "2");
}

TEST_F(PostgresOddSchema, ValuesThatChangePlacesAreInNobodysWay) {
  Run("CREATE TABLE users (id int PRIMARY KEY, site text, email text UNIQUE);"
      "INSERT INTO users SELECT g, 'a', 'e' || g FROM generate_series(1, 3000) g");
  TakeSnapshot();
  Run("UPDATE users SET email = 'f' || id; UPDATE users SET email = 'e' || (1 + id % 3000);"
      "DELETE FROM users WHERE id = 7; INSERT INTO users VALUES (8000, 'a', 'e8')");
  const auto kept = Plan(Order("a", state::OVERWRITE));
  ASSERT_THAT(kept, IsOk());
  EXPECT_EQ(kept->conflict_count(), 1) << "the row that is kept has the value of 8";
  EXPECT_EQ(PrintableKey(kept->conflicts(0).key()), "8");
  const auto plan = Plan(Order("a", state::MIRROR));
  ASSERT_THAT(plan, IsOk());
  EXPECT_EQ(plan->conflict_count(), 0);
  EXPECT_EQ(plan->rows_to_change(), 3001);
  ExpectRestored(Order("a", state::MIRROR));
  EXPECT_EQ(Value("SELECT count(*) FROM users WHERE email = 'e' || id"), "3000");
}

TEST_F(PostgresOddSchema, AnUndoDoesNotLeaveOutRowsWhoseValuesAreTaken) {
  Run("CREATE TABLE users (id int PRIMARY KEY, site text, email text UNIQUE);"
      "INSERT INTO users VALUES (1, 'a', 'ann'), (9, 'b', 'other')");
  TakeSnapshot();
  Run("UPDATE users SET email = 'ann2' WHERE id = 1; INSERT INTO users VALUES (2, 'a', 'new')");
  const state::RestoreRecord restore = world_->Restore(Order("a", state::MIRROR));
  ASSERT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
  Run("UPDATE users SET email = 'new' WHERE id = 9");
  const state::RestoreRecord undo = world_->Undo(restore, /*skip_conflicts=*/true);
  EXPECT_EQ(undo.failure().reason(), "KEY_CONFLICT");
  EXPECT_THAT(undo.failure().message(), HasSubstr("row 2 of table users"));
  Run("UPDATE users SET email = 'other' WHERE id = 9");
  EXPECT_EQ(world_->Undo(restore).state(), state::SUCCEEDED);
  EXPECT_EQ(Value("SELECT string_agg(id || email, ' ' ORDER BY id) FROM users"),
            "1ann2 2new 9other");
}

TEST_F(PostgresOddSchema, APlanNamesRowsThatNoPartitionTakes) {
  Run("CREATE TABLE visits (id int, site text, day int, PRIMARY KEY (id, day)) "
      "PARTITION BY RANGE (day);"
      "CREATE TABLE visits_old PARTITION OF visits FOR VALUES FROM (1) TO (10);"
      "CREATE TABLE visits_new PARTITION OF visits FOR VALUES FROM (10) TO (20);"
      "INSERT INTO visits VALUES (1, 'a', 5), (2, 'a', 15)");
  TakeSnapshot();
  Run("DELETE FROM visits; DROP TABLE visits_old");
  const auto plan = Plan(Order("a"));
  ASSERT_THAT(plan, IsOk());
  ASSERT_EQ(plan->conflict_count(), 1);
  EXPECT_EQ(plan->conflicts(0).action(), "no partition");
  EXPECT_EQ(PrintableKey(plan->conflicts(0).key()), "1, 5");
  const state::RestoreRecord refused = world_->Restore(Order("a"));
  EXPECT_THAT(refused.failure().message(), HasSubstr("row 1, 5 of table visits (no partition"));
  EXPECT_EQ(Value("SELECT count(*) FROM visits"), "0");
  Run("CREATE TABLE visits_all PARTITION OF visits DEFAULT");
  ExpectRestored(Order("a"));
  EXPECT_EQ(Value("SELECT count(*) FROM visits"), "2");
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
  const state::RestoreRecord restore = world_->Restore(Order("a"));
  ASSERT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
  const auto certificate = world_->state()->GetCertificate(restore.id());
  ASSERT_THAT(certificate, IsOk());
  EXPECT_THAT(certificate->exceptions(),
              testing::Contains(HasSubstr("refer to 1 rows of table plans that are not there "
                                          "(foreign key of_plan")));
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

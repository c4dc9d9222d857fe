#include "storage/live/postgres/catalog_fingerprint.h"

#include "absl/strings/str_cat.h"
#include "storage/live/postgres/advisory_locks.h"
#include "storage/live/postgres/pg_connection_pool.h"
#include "tests/unit/storage/live/postgres/session_world.h"

namespace reinstate {
namespace {

class CatalogFingerprintTest : public SessionWorld {
 protected:
  std::string Fingerprint() {
    const auto fingerprint = ReadCatalogFingerprint(app_.get());
    EXPECT_THAT(fingerprint, IsOk());
    return fingerprint.value_or("");
  }
};

TEST_F(CatalogFingerprintTest, ChangesWithEveryDefinitionAndWithNothingElse) {
  Run("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
  Run("CREATE TABLE parent(id int PRIMARY KEY, code text)");
  Run("CREATE DOMAIN name AS text");
  Run("CREATE SEQUENCE numbers; CREATE SEQUENCE owned");
  for (const std::string change :
       {"CREATE TABLE t(id int, parent int, code text, tenant_id text, n name)",
        "ALTER TABLE t ADD COLUMN added int",
        "ALTER TABLE t DROP COLUMN added",
        "ALTER TABLE t ALTER COLUMN code TYPE varchar(10)",
        "ALTER TABLE t ALTER COLUMN code SET NOT NULL",
        "ALTER TABLE t RENAME COLUMN code TO c",
        "ALTER TABLE t ADD PRIMARY KEY (id)",
        "ALTER TABLE t ADD FOREIGN KEY (parent) REFERENCES parent NOT VALID",
        "ALTER TABLE t VALIDATE CONSTRAINT t_parent_fkey",
        "ALTER TABLE t ALTER CONSTRAINT t_parent_fkey DEFERRABLE",
        "CREATE UNIQUE INDEX i ON t(c)",
        "DROP INDEX i",
        "ALTER SEQUENCE owned OWNED BY t.id",
        "ALTER TABLE t ALTER parent SET DEFAULT nextval('numbers')",
        "CREATE FUNCTION owner_of(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1'",
        "CREATE OR REPLACE FUNCTION owner_of(text) RETURNS text IMMUTABLE LANGUAGE sql AS "
        "'SELECT lower($1)'",
        "ALTER FUNCTION owner_of SET search_path = pg_catalog",
        "DROP FUNCTION owner_of",
        "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "ALTER TABLE t ENABLE ALWAYS TRIGGER g",
        "CREATE RULE r AS ON DELETE TO t DO ALSO SELECT 1",
        "ALTER TABLE t ENABLE REPLICA RULE r",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY p ON t USING (true)",
        "ALTER TABLE t REPLICA IDENTITY FULL",
        "CREATE PUBLICATION pub FOR TABLE t",
        "GRANT SELECT ON t TO PUBLIC",
        "ALTER ROLE CURRENT_USER NOINHERIT",
        "ALTER ROLE CURRENT_USER INHERIT",
        "ALTER TABLE t RENAME TO u",
        "DROP TABLE u CASCADE"}) {
    const std::string before = Fingerprint();
    EXPECT_EQ(Fingerprint(), before);
    Run(change);
    EXPECT_NE(Fingerprint(), before) << change;
  }
  const std::string before = Fingerprint();
  Run("INSERT INTO parent SELECT g FROM generate_series(1, 1000) g");
  Run("SELECT nextval('numbers')");
  Run("ANALYZE parent");
  EXPECT_EQ(Fingerprint(), before);
}

TEST_F(CatalogFingerprintTest, APoolKeepsWhatIsWholeAndNoMoreThanItMay) {
  PgConnectionPool pool(1);
  EXPECT_EQ(pool.Take(), nullptr);
  auto first = Connect();
  PgConnection* const whole = first.get();
  pool.Give(std::move(first));
  pool.Give(Connect());
  EXPECT_EQ(pool.Take().get(), whole);
  EXPECT_EQ(pool.Take(), nullptr);
  auto broken = Connect();
  EXPECT_FALSE(broken->Execute("fail", "SELECT 1 / 0").ok());
  pool.Give(std::move(broken));
  EXPECT_EQ(pool.Take(), nullptr);
}

TEST_F(CatalogFingerprintTest, SessionsFollowEachOtherOnTheSameConnections) {
  Run("CREATE TABLE issue(id int PRIMARY KEY, tenant_id text)");
  PgConnectionPool pool(4);
  PgConnectionPool second_pool(4);
  auto setup = SetupFor("a");
  setup.main_pool = &pool;
  setup.second_pool = &second_pool;
  {
    auto session = PostgresSession::Open(setup);
    ASSERT_THAT(session, IsOk());
    ASSERT_THAT((*session)->Begin(), IsOk());
    ASSERT_THAT(Commit(session->get(), {Insert("issue", {"1"}, "1\ta")}), IsOk());
  }
  const std::string count =
      "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'reinstate%'";
  EXPECT_EQ(Value(count), "2");
  EXPECT_EQ(Value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = "
                  "(SELECT oid FROM pg_database WHERE datname = current_database())"),
            "0");
  setup.tenant = TenantId::FromStored("b");
  setup.options.purpose = "second";
  auto session = PostgresSession::Open(setup);
  ASSERT_THAT(session, IsOk());
  EXPECT_EQ(Value(count), "2");
  EXPECT_EQ(Value("SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                  "'reinstate second'"),
            "2");
  // One that the server has closed is replaced.
  *session = nullptr;
  Run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE "
      "'reinstate%'");
  session = PostgresSession::Open(setup);
  ASSERT_THAT(session, IsOk());
  EXPECT_THAT((*session)->Begin(), IsOk());
}

// What a first connection keeps has to be planned again whenever triggers become silent on it.
TEST_F(CatalogFingerprintTest, AFirstConnectionIsNeverTheSecondOfALaterSession) {
  Run("CREATE TABLE issue(id int PRIMARY KEY, tenant_id text)");
  PgConnectionPool pool(4);
  PgConnectionPool second_pool(4);
  auto setup = SetupFor("a");
  setup.main_pool = &pool;
  setup.second_pool = &second_pool;
  const auto holder_of = [this](const std::string& tenant, const std::string& lock) {
    return Value(absl::StrCat(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND "
        "(classid::int8 << 32 | objid::int8) = ",
        TenantLockNumber(TenantId::FromStored(tenant), lock)));
  };
  auto session = PostgresSession::Open(setup);
  ASSERT_THAT(session, IsOk());
  const std::string first = holder_of("a", "transaction");
  Run(absl::StrCat("SELECT pg_terminate_backend(", holder_of("a", "session"), ")"));
  *session = nullptr;
  setup.tenant = TenantId::FromStored("b");
  session = PostgresSession::Open(setup);
  ASSERT_THAT(session, IsOk());
  EXPECT_EQ(holder_of("b", "transaction"), first);
  EXPECT_NE(holder_of("b", "session"), first);
}

}  // namespace
}  // namespace reinstate

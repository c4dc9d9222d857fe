// A connection pooler between us and the database: what it would do to an application, and that it
// is refused.

#include "tests/support/pooler.h"

#include <libpq-fe.h>

#include "storage/live/postgres/pg_connection.h"
#include "tests/support/postgres_server.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using testing::HasSubstr;

class PoolerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto started = Pooler::Start(*server_);
    ASSERT_THAT(started, IsOk());
    pooler_ = *std::move(started);
  }

  std::string Conninfo() const { return pooler_->Conninfo(database_); }

  // What an application that comes by gets.
  std::string Ask(const std::string& sql) {
    PGconn* const connection = PQconnectdb(Conninfo().c_str());
    PGresult* const result = PQexec(connection, sql.c_str());
    const std::string value = PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : "";
    PQclear(result);
    PQfinish(connection);
    return value;
  }

  PostgresServer* const server_ = PostgresServer::Shared();
  const std::string database_ = server_->MakeDatabase();
  std::unique_ptr<Pooler> pooler_;
};

TEST_F(PoolerTest, WouldPassOurSettingsOnToTheApplicationAndIsRefused) {
  Ask("SET session_replication_role = replica");
  EXPECT_EQ(Ask("SHOW session_replication_role"), "replica")
      << "the control arm: of another client";

  PgOptions options;
  options.conninfo = Conninfo();
  const auto connection = PgConnection::Connect(options);
  EXPECT_THAT(connection, FailsWith(Reason::kUnsupported));
  EXPECT_THAT(std::string(connection.status().message()), HasSubstr("pooler"));
}

}  // namespace
}  // namespace reinstate

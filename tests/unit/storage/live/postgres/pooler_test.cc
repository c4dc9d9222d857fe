// A connection pooler between us and the database: what it would do to an application, and that it
// is refused.

#include <libpq-fe.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/live/postgres/pg_connection.h"
#include "tests/support/postgres_server.h"
#include "tests/support/status_matchers.h"
#include "tests/support/subprocess.h"
#include "tests/support/tcp_proxy.h"
#include "tests/support/temp_dir.h"

namespace reinstate {
namespace {

using testing::HasSubstr;

class PoolerTest : public testing::Test {
 protected:
  void SetUp() override {
    // A port that was free a moment ago.
    port_ = TcpProxy(server_->port()).port();
    std::filesystem::permissions(
        folder_.path(), std::filesystem::perms::others_all | std::filesystem::perms::owner_all);
    const std::string config = folder_.path() + "/pgbouncer.ini";
    std::ofstream(config) << "[databases]\n* = host=127.0.0.1 port=" << server_->port()
                          << " user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = "
                          << port_ << "\nunix_socket_dir =\nauth_type = any\npool_mode = "
                          << "transaction\ndefault_pool_size = 1\n";
    std::vector<std::string> words = {"/usr/sbin/pgbouncer", config};
    if (geteuid() == 0) {
      words = {"/usr/bin/setpriv", "--reuid=postgres",    "--regid=postgres",
               "--clear-groups",   "/usr/sbin/pgbouncer", config};
    }
    auto started = Subprocess::Start(words, {});
    ASSERT_THAT(started, IsOk());
    pooler_ = *std::move(started);
    const absl::Time until = absl::Now() + absl::Seconds(30);
    while (PQping(Conninfo().c_str()) != PQPING_OK) {
      ASSERT_LT(absl::Now(), until)
          << "needs pgbouncer (deploy/install-dependencies): " << pooler_->Err();
      absl::SleepFor(absl::Milliseconds(10));
    }
  }

  std::string Conninfo() const {
    return absl::StrCat("host=127.0.0.1 port=", port_, " user=postgres dbname=", database_);
  }

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
  const TempDir folder_;
  int port_ = 0;
  std::unique_ptr<Subprocess> pooler_;
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

// Servers that are not there, are the wrong one, or refuse; tables that do not fit: each is said in
// a sentence that helps, nothing is changed, and no word of it is another tenant's.

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "tests/integration/cli/cli_site.h"
#include "tests/integration/postgres/tracker_world.h"
#include "tests/support/pooler.h"
#include "tests/support/postgres_site_config.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class PostgresBadInput : public CliSite {
 protected:
  explicit PostgresBadInput(PostgresServer* server = PostgresServer::Shared())
      : tracker_(server, {200, 40, 1'200}) {
    daemon_arguments_ = tracker_.DaemonArguments();
  }

  // As daemon_arguments_ say.
  void StartDaemon() { CliSite::StartDaemon("", daemon_arguments_); }

  void SetUp() override {
    StartDaemon();
    const ProgramResult taken = Run({"snapshot", "take", "--wait"});
    ASSERT_EQ(taken.exit_code, 0) << taken.err << daemon_->Output();
  }

  // Refused with this exit code and reason; the message names what is missing.
  void Refused(const std::vector<std::string>& words, int exit_code, const std::string& reason,
               const std::string& names) {
    const ProgramResult result = Run(words);
    EXPECT_EQ(result.exit_code, exit_code) << result.err << result.out;
    EXPECT_THAT(result.err, HasSubstr("[" + reason + "]"));
    EXPECT_THAT(result.err, HasSubstr(names));
  }

  std::vector<std::string> Restore() const {
    return {"restore", "create", tracker_.Tenant(kVictim), "--at", "latest", "--wait"};
  }

  void ExpectRestored() {
    const ProgramResult restored = Run(Restore());
    EXPECT_EQ(restored.exit_code, 0) << restored.err << daemon_->Output();
    tracker_.ExpectAtFirst({kVictim});
    tracker_.ExpectAllAsItMustBe();
  }

  static constexpr size_t kVictim = 2;

  TrackerWorld tracker_;
  std::vector<std::string> daemon_arguments_;
};

// With a server of its own, which can go away.
class PostgresGoesAway : public PostgresBadInput {
 protected:
  PostgresGoesAway() : PostgresGoesAway(StartServer()) {}

 private:
  explicit PostgresGoesAway(std::unique_ptr<PostgresServer> server)
      : PostgresBadInput(server.get()), server_(std::move(server)) {}

  static std::unique_ptr<PostgresServer> StartServer() {
    auto server = PostgresServer::Start({.fsync = false, .settings = {}});
    EXPECT_THAT(server, IsOk());
    return *std::move(server);
  }

  const std::unique_ptr<PostgresServer> server_;
};

TEST_F(PostgresGoesAway, IsSaidAndIsNoReasonToRestartTheDaemon) {
  tracker_.Delete({kVictim});
  tracker_.server()->Crash();
  Refused({"restore", "plan", tracker_.Tenant(kVictim), "--at", "latest"}, 7, "UNAVAILABLE",
          "127.0.0.1");
  Refused({"snapshot", "take", "--wait"}, 7, "UNAVAILABLE", "127.0.0.1");
  // A daemon starts without it as well.
  StartDaemon();
  EXPECT_EQ(Run({"tenant", "find", tracker_.site().SiteName(kVictim)}).exit_code, 0)
      << "the history is there all the same";
  ASSERT_THAT(tracker_.server()->Resume(), IsOk());
  tracker_.Reconnect();
  ExpectRestored();
}

TEST_F(PostgresGoesAway, InTheMiddleOfRestoresLeavesThemBeforeOrAfter) {
  const SiteRows at_first = tracker_.Read(kVictim);
  int number = 0;
  for (const int delay : {5, 40, 90, 150, 220}) {
    tracker_.Delete({kVictim});
    const std::unique_ptr<Subprocess> restore = Begin(Restore(), /*terminal=*/false);
    absl::SleepFor(absl::Milliseconds(delay));
    tracker_.server()->Crash();
    absl::SleepFor(absl::Milliseconds(30));
    ASSERT_THAT(tracker_.server()->Resume(), IsOk());
    tracker_.Reconnect();
    const int exit_code = restore->WaitForEnd();
    const SiteRows found = tracker_.Read(kVictim);
    if (exit_code == 0) {
      EXPECT_TRUE(found == at_first) << "after " << delay << " ms";
    } else {
      EXPECT_EQ(exit_code, 7) << restore->Err();
      EXPECT_TRUE(found == SiteRows()) << "after " << delay << " ms";
      ExpectRestored();
    }
    ++number;
  }
  EXPECT_EQ(number, 5);
}

TEST_F(PostgresGoesAway, AStandbyIsRefusedForRestores) {
  tracker_.Delete({kVictim});
  tracker_.server()->Crash();
  ASSERT_THAT(tracker_.server()->ResumeAsStandby(), IsOk());
  tracker_.Reconnect();
  Refused({"restore", "plan", tracker_.Tenant(kVictim), "--at", "latest"}, 1, "UNSUPPORTED",
          "standby");
  Refused(Restore(), 1, "UNSUPPORTED", "standby");
  EXPECT_TRUE(tracker_.Read(kVictim) == SiteRows());
}

TEST_F(PostgresBadInput, AnotherDatabaseUnderTheSameNameIsRefused) {
  tracker_.Delete({kVictim});
  TrackerWorld other(PostgresServer::Shared(), {200, 40, 1'200});
  other.Delete({kVictim});
  daemon_arguments_ = other.DaemonArguments();
  StartDaemon();
  Refused(Restore(), 6, "STORE_IDENTITY_CHANGED", other.database_name());
  Refused({"snapshot", "take", "--wait"}, 6, "STORE_IDENTITY_CHANGED", other.database_name());
  other.ExpectAllAsItMustBe();
  daemon_arguments_ = tracker_.DaemonArguments();
  StartDaemon();
  ExpectRestored();
}

TEST_F(PostgresBadInput, APoolerInBetweenIsRefused) {
  tracker_.Delete({kVictim});
  const auto pooler = Pooler::Start(*tracker_.server());
  ASSERT_THAT(pooler, IsOk());
  daemon_arguments_ = tracker_.DaemonArguments((*pooler)->port());
  StartDaemon();
  Refused(Restore(), 1, "UNSUPPORTED", "pooler");
  Refused({"snapshot", "take", "--wait"}, 1, "UNSUPPORTED",
          "give the address of the server itself");
  EXPECT_TRUE(tracker_.Read(kVictim) == SiteRows());
  daemon_arguments_ = tracker_.DaemonArguments();
  StartDaemon();
  ExpectRestored();
}

TEST_F(PostgresBadInput, ADatabaseThatIsNotThereIsNotWaitedFor) {
  std::ifstream file(daemon_arguments_.back());
  std::stringstream text;
  text << file.rdbuf();
  std::ofstream(daemon_arguments_.back())
      << absl::StrReplaceAll(text.str(), {{tracker_.database_name(), "nowhere"}});
  StartDaemon();
  Refused(Restore(), 4, "NOT_ALLOWED", "create it, or name another one in the configuration");
}

TEST_F(PostgresBadInput, ASecondSpellingOfATenantIsTheSameTenantEverywhere) {
  const std::string tenant = tracker_.Tenant(kVictim);
  const std::string spelled = " 00" + tenant;
  tracker_.Delete({kVictim});
  EXPECT_EQ(Json({"tenant", "show", spelled}), Json({"tenant", "show", tenant}));
  const std::string plan = Json({"restore", "plan", spelled, "--at", "latest"}).dump();
  EXPECT_THAT(plan, AllOf(HasSubstr("\"" + tenant + "\""), Not(HasSubstr(spelled))));
  const std::string restore =
      Json({"restore", "create", spelled, "--at", "latest", "--wait"}).dump();
  EXPECT_THAT(restore, AllOf(HasSubstr("\"" + tenant + "\""), Not(HasSubstr(spelled))));
  EXPECT_EQ(Json({"restore", "list", "--tenant", spelled}),
            Json({"restore", "list", "--tenant", tenant}));
  tracker_.ExpectAtFirst({kVictim});
  tracker_.ExpectAllAsItMustBe();
  for (const std::string no_id : {"acme", "12x", "99999999999999999999"}) {
    Refused({"tenant", "show", no_id}, 2, "TENANT_ID_INVALID", "bigint");
    Refused({"restore", "plan", no_id, "--at", "latest"}, 2, "TENANT_ID_INVALID", "bigint");
    Refused({"restore", "create", no_id, "--at", "latest"}, 2, "TENANT_ID_INVALID", "bigint");
  }
}

TEST_F(PostgresBadInput, AMissingPrivilegeIsNamed) {
  tracker_.Delete({kVictim});
  tracker_.Run("REVOKE INSERT ON comments FROM reinstate");
  Refused(Restore(), 4, "NOT_ALLOWED", "comments");
  tracker_.Run("GRANT INSERT ON comments TO reinstate");
  tracker_.Run("REVOKE SELECT ON worklogs FROM reinstate");
  Refused({"snapshot", "take", "--wait"}, 4, "NOT_ALLOWED", "worklogs");
  Refused(Restore(), 4, "NOT_ALLOWED", "worklogs");
  tracker_.Run("GRANT SELECT ON worklogs TO reinstate");
  tracker_.Run("REVOKE SET ON PARAMETER session_replication_role FROM reinstate");
  Refused(Restore(), 4, "NOT_ALLOWED", "session_replication_role");
  tracker_.Run("GRANT SET ON PARAMETER session_replication_role TO reinstate");
  EXPECT_TRUE(tracker_.Read(kVictim) == SiteRows());
  ExpectRestored();
}

TEST_F(PostgresBadInput, AnUnresolvedTableStopsNoSnapshotButTheRestoresThatTouchIt) {
  tracker_.Run(
      "CREATE TABLE stray (id integer PRIMARY KEY, note text); "
      "INSERT INTO stray VALUES (1, 'whose?'); GRANT ALL ON stray TO reinstate");
  const ProgramResult taken = Run({"snapshot", "take", "--wait"});
  EXPECT_EQ(taken.exit_code, 0) << taken.err;
  EXPECT_THAT(Run({"store", "discover", "-o", "csv"}).out, HasSubstr("\nstray,unresolved,"));
  int incomplete = 0;
  for (const nlohmann::json& snapshot : Json({"snapshot", "list"})) {
    const std::string shown = Run({"snapshot", "show", snapshot.at("id")}).out;
    incomplete += shown.find("nobody has said whose the rows of stray are") == shown.npos ? 0 : 1;
  }
  EXPECT_EQ(incomplete, 1) << "of the two snapshots, the second one";
  tracker_.Delete({kVictim});
  Refused(Restore(), 6, "TABLE_UNRESOLVED", "stray");
  EXPECT_TRUE(tracker_.Read(kVictim) == SiteRows());
}

TEST_F(PostgresBadInput, ATableWithoutAKeyComesBackWithAllThatIsThereTwice) {
  const std::string tenant = tracker_.Tenant(kVictim);
  tracker_.Run(absl::StrCat(
      "CREATE TABLE visits (site_id bigint REFERENCES sites, page text, at timestamptz); "
      "GRANT ALL ON visits TO reinstate; INSERT INTO visits SELECT id, v.page, '2022-04-05Z' FROM "
      "sites, (VALUES ('a'), ('a'), ('a'), (NULL), (NULL), ('b')) AS v (page)"));
  const std::string count =
      "SELECT string_agg(concat(site_id, coalesce(page, 'none'), n), ' ' ORDER BY site_id, page) "
      "FROM (SELECT site_id, page, count(*) AS n FROM visits GROUP BY 1, 2) AS g";
  const std::string before = *tracker_.database()->Value(count);
  const ProgramResult taken = Run({"snapshot", "take", "--wait"});
  ASSERT_EQ(taken.exit_code, 0) << taken.err << daemon_->Output();
  tracker_.Run("DELETE FROM visits WHERE site_id = " + tenant);
  tracker_.Delete({kVictim});
  ExpectRestored();
  EXPECT_EQ(*tracker_.database()->Value(count), before);
}

TEST_F(PostgresBadInput, WordsOfOtherTenantsAreInNoMessage) {
  const std::string secret = "hush-7f3a";
  const std::string tenant = tracker_.Tenant(kVictim);
  const std::string name = tracker_.site().SiteName(kVictim);
  tracker_.Delete({kVictim});
  // Another tenant has taken a unique name, and an id, that were the victim's.
  tracker_.Run(absl::StrCat("UPDATE sites SET settings = '{\"secret\": \"", secret,
                            "\"}', plan = 'premium', name = '", name,
                            "' WHERE id = ", tracker_.Tenant(0)));
  const ProgramResult by_name = Run(Restore());
  EXPECT_EQ(by_name.exit_code, 6) << by_name.out << by_name.err;
  EXPECT_THAT(by_name.err, HasSubstr("KEY_CONFLICT"));
  EXPECT_THAT(by_name.err, HasSubstr(absl::StrCat("row ", tenant, " of table sites")));
  tracker_.Run(
      absl::StrCat("UPDATE sites SET name = '", secret, "' WHERE id = ", tracker_.Tenant(0)));
  tracker_.Run(absl::StrCat("INSERT INTO comments SELECT 3, id, 1, '", secret,
                            "', NULL, now() FROM issues WHERE site_id "
                            "= ",
                            tracker_.Tenant(0),
                            " LIMIT 1 ON CONFLICT (id) DO UPDATE SET body = EXCLUDED.body, "
                            "issue_id = EXCLUDED.issue_id"));
  const ProgramResult plan = Run({"restore", "plan", tenant, "--at", "latest"});
  const ProgramResult by_key = Run(Restore());
  EXPECT_EQ(by_key.exit_code, 6) << by_key.out << by_key.err;
  EXPECT_THAT(by_key.err, HasSubstr("KEY_CONFLICT"));
  for (const std::string& text :
       {by_name.out, by_name.err, plan.out, plan.err, by_key.out, by_key.err, daemon_->Output()}) {
    EXPECT_THAT(text, Not(HasSubstr(secret)));
  }
  EXPECT_TRUE(tracker_.Read(kVictim) == SiteRows());
}

TEST_F(PostgresBadInput, APasswordIsInNoMessage) {
  const std::string password = "open-sesame-55";
  const std::string password_file = dir_.path() + "/passwords";
  std::ofstream(password_file) << "*:*:*:*:" << password << "\n";
  std::filesystem::permissions(password_file, std::filesystem::perms::owner_read);
  std::ifstream file(daemon_arguments_.back());
  std::stringstream text;
  text << file.rdbuf();
  std::ofstream(daemon_arguments_.back()) << absl::StrReplaceAll(
      text.str(),
      {{absl::StrCat("user = \"", kDaemonRole, "\""),
        absl::StrCat("user = \"nobody_there\"\npassword_file = \"", password_file, "\"")}});
  StartDaemon();
  const ProgramResult result = Run(Restore());
  EXPECT_EQ(result.exit_code, 4) << result.err;
  EXPECT_THAT(result.err, HasSubstr("nobody_there"));
  for (const std::string& said : {result.out, result.err, daemon_->Output()}) {
    EXPECT_THAT(said, Not(HasSubstr(password)));
  }

  // In the configuration itself it is refused, and not repeated.
  std::ofstream(daemon_arguments_.back())
      << text.str() << "conninfo = \"password=" << password << "\"\n";
  const auto refused = DaemonProcess::Start(
      {.data_path = dir_.path() + "/other", .arguments = daemon_arguments_, .fault_points = ""});
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(refused.status().ToString(), AllOf(HasSubstr("password"), Not(HasSubstr(password))));
}

}  // namespace
}  // namespace reinstate

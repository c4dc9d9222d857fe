// Two tenants whose rows refer to rows of each other: neither can come back first, so both fail,
// and the next command that is told then brings both back, typed as it is written.

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/integration/cli/cli_site.h"
#include "tests/integration/postgres/tracker_world.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class MutualReferences : public CliSite {
 protected:
  static constexpr size_t kOne = 0;
  static constexpr size_t kOther = 1;

  // A third site is a bystander.
  MutualReferences() : tracker_(PostgresServer::Shared(), {60, 90, 40}) {
    tracker_.Run(
        "CREATE TABLE links (id bigserial PRIMARY KEY, site_id bigint REFERENCES sites, "
        "issue_id bigint REFERENCES issues); "
        "GRANT ALL ON links TO reinstate; GRANT ALL ON SEQUENCE links_id_seq TO reinstate");
  }

  void SetUp() override {
    Link(kOne, kOther);
    Link(kOther, kOne);
    StartDaemon("", tracker_.DaemonArguments());
    MustRun({"snapshot", "take", "--wait"});
    links_ = Links();
    tracker_.Run("DELETE FROM links");
    tracker_.Delete({kOne, kOther});
  }

  // Issues of one site become linked from another one.
  void Link(size_t from, size_t to) {
    tracker_.Run(absl::StrCat(
        "INSERT INTO links (site_id, issue_id) SELECT ", tracker_.Tenant(from),
        ", id FROM issues WHERE site_id = ", tracker_.Tenant(to), " ORDER BY id LIMIT 10"));
  }

  std::string Links() {
    return *tracker_.database()->Value(
        "SELECT coalesce(string_agg(concat_ws(' ', id, site_id, issue_id), ', ' ORDER BY id), '') "
        "FROM links");
  }

  std::string List() const {
    return absl::StrCat("id\n", tracker_.Tenant(kOne), "\n", tracker_.Tenant(kOther), "\n");
  }

  ProgramResult MustRun(const std::vector<std::string>& words, const std::string& input = "",
                        int exit_code = 0) const {
    ProgramResult result = Run(words, input);
    EXPECT_EQ(result.exit_code, exit_code) << result.err << daemon_->Output();
    return result;
  }

  // The words of a command behind the program's name.
  static std::vector<std::string> Words(const std::string& command) {
    std::vector<std::string> words = absl::StrSplit(command, ' ');
    EXPECT_EQ(words.front(), "reinstate") << command;
    words.erase(words.begin());
    return words;
  }

  // What is to be done next about lines that failed for `reason`.
  static std::string NextOf(const std::string& reason, const std::string& report) {
    const std::string marker = "\n  Next: ";
    const size_t group = report.find(absl::StrCat(reason, ", "));
    const size_t begin = report.find(marker, group);
    if (group == std::string::npos || begin == std::string::npos) {
      ADD_FAILURE() << "no next step for " << reason << " in: " << report;
      return "";
    }
    const std::string rest = report.substr(begin + marker.size());
    return rest.substr(0, rest.find('\n'));
  }

  // Types the two commands of what is to be done next.
  void FollowNextStep(const std::string& report) {
    const std::vector<std::string> commands =
        absl::StrSplit(NextOf("KEY_CONFLICT", report), ", then ");
    ASSERT_EQ(commands.size(), 2) << report;
    EXPECT_THAT(commands[0], HasSubstr(" --without-table links --wait"));
    MustRun(Words(commands[0]));
    MustRun(Words(commands[1]));
  }

  void ExpectAllBack() {
    EXPECT_EQ(Links(), links_);
    tracker_.ExpectAtFirst({kOne, kOther});
    tracker_.ExpectAllAsItMustBe();
  }

  std::string NewestBatch() const { return Json({"batch", "list"})[0]["id"]; }

  TrackerWorld tracker_;
  std::string links_;  // as they were
};

TEST_F(MutualReferences, ComeBackByTheNextStepAsItIsWritten) {
  const ProgramResult created = MustRun({"batch", "create", "-f", "-", "--at", "latest",
                                         "--accept-shrinking", "--confirm", "2", "--wait"},
                                        List(), 1);
  const std::string batch = NewestBatch();
  EXPECT_THAT(created.err,
              AllOf(HasSubstr("KEY_CONFLICT, 2 lines: lines 2 and 3\n"),
                    HasSubstr(absl::StrCat("The same holds of tenant ", tracker_.Tenant(kOther)))));
  // Only trying again helps nobody.
  const ProgramResult retried = MustRun({"batch", "retry", batch, "--wait"}, "", 1);
  EXPECT_EQ(Links(), "");

  FollowNextStep(retried.err);
  MustRun({"batch", "watch", batch});
  ExpectAllBack();
}

TEST_F(MutualReferences, ComeBackByTheNextStepsAlsoWhereExactlyADryRunWasAgreedTo) {
  MustRun({"batch", "create", "-f", "-", "--at", "latest", "--accept-shrinking", "--dry-run"},
          List());
  const ProgramResult created =
      MustRun({"batch", "create", "--plan", NewestBatch(), "--confirm", "2", "--wait"}, "", 1);
  const std::string batch = NewestBatch();
  FollowNextStep(created.err);
  // What was agreed to of the one that came first is not what is left of it.
  const ProgramResult watched = MustRun({"batch", "watch", batch}, "", 3);
  EXPECT_THAT(watched.err, HasSubstr("PLAN_CHANGED, 1 line"));
  const std::vector<std::string> again = absl::StrSplit(
      NextOf("PLAN_CHANGED", watched.err).substr(std::string("look at a new plan: ").size()),
      " > again.csv && ");
  ASSERT_EQ(again.size(), 2) << watched.err;
  std::vector<std::string> plan = Words(again[1]);
  ASSERT_EQ(plan[3], "again.csv");
  plan[3] = "-";
  MustRun(plan, MustRun(Words(again[0])).out);
  MustRun({"batch", "create", "--plan", NewestBatch(), "--confirm", "1", "--wait"});
  ExpectAllBack();
}

TEST_F(MutualReferences, ATableLeftOutDoesNotHideOthersOfWhichNobodyKnowsWhoseTheyAre) {
  tracker_.Run(
      "CREATE TABLE odd (id integer PRIMARY KEY, note text); GRANT ALL ON odd TO reinstate");
  std::vector<std::string> create = {"restore", "create", tracker_.Tenant(kOne), "--at",
                                     "latest",  "--wait", "--without-table",     "links"};
  EXPECT_THAT(Run(create).err, AllOf(HasSubstr("odd"), HasSubstr("[TABLE_UNRESOLVED]")));
  create.emplace_back("--accept-uncovered-tables");
  MustRun(create);
  EXPECT_EQ(Links(), "");
  tracker_.ExpectAtFirst({kOne});
  const std::string restore = Json({"restore", "list"})[0]["id"];
  EXPECT_THAT(MustRun({"restore", "certificate", restore}).out, HasSubstr("cover them: odd"));
}

}  // namespace
}  // namespace reinstate

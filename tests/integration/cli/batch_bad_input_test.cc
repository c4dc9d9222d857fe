// Lists and hooks that are wrong, as the real programs take them: a clear error, nothing half done.

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli/cli_site.h"
#include "tests/support/script.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kRows = 20;

class BatchBadInput : public CliSite {
 protected:
  void SetUp() override {
    StartDaemon();
    LoadAndSnapshot(kRows);
    DeleteTenant("1001");
  }

  std::string Path(const std::string& name) const { return dir_.path() + "/" + name; }

  ProgramResult Create(const std::string& list, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {"batch", "create", "-f", "-", "--at", "latest"};
    words.insert(words.end(), more.begin(), more.end());
    return Run(words, list);
  }

  // No batch was begun, nor anything restored.
  void ExpectNothingDone() const {
    EXPECT_TRUE(Json({"batch", "list"}).empty());
    EXPECT_TRUE(Json({"restore", "list"}).empty());
    EXPECT_EQ(Issues("1001"), 0);
  }

  void ExpectRefused(const ProgramResult& result, int exit_code,
                     const testing::Matcher<const std::string&>& message) const {
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_THAT(result.err, message);
    ExpectNothingDone();
  }
};

TEST_F(BatchBadInput, WrongColumns) {
  ExpectRefused(Create("Firma;Ort\nAcme Corp;Rom\n"), 2,
                AllOf(HasSubstr("--column"), HasSubstr("1 \"Firma\", 2 \"Ort\"")));
  ExpectRefused(Create("id,name\n1001,Acme Corp\n", {"--column", "phone"}), 2,
                HasSubstr("no column \"phone\""));
  // The columns of one line are shifted.
  ExpectRefused(Create("town,id,name\nRome,1001,Acme, Inc.\nOslo,1002,Globex\n"), 6,
                AllOf(HasSubstr("line 2"), HasSubstr("4 columns where the first line has 3"),
                      HasSubstr("1 of 2 lines cannot be restored. Nothing was begun."),
                      HasSubstr("[BATCH_LINES_INVALID]")));
}

TEST_F(BatchBadInput, BytesThatAreNoUtf8) {
  // A mixture of encodings is refused with its lines.
  ExpectRefused(Create("name\nCaf\xC3\xA9\nCaf\xE9\n"), 2, HasSubstr("line 3"));
  // What was asked to be UTF-8 and is not, is told by its line.
  ExpectRefused(Create("name\nAcme Corp\nCaf\xE9\n", {"--encoding", "utf-8"}), 2,
                HasSubstr("The list is not UTF-8 in line 3"));
  ExpectRefused(Create(std::string("\0\1\2\3\xFF\xFE\x80", 7)), 2, HasSubstr("list"));
}

TEST_F(BatchBadInput, MoreLinesThanABatchMayHave) {
  std::string list = "id\n";
  for (int i = 0; i < 100'000; ++i) {
    absl::StrAppend(&list, 1001 + i, "\n");
  }
  const auto begun = std::chrono::steady_clock::now();
  ExpectRefused(Create(list), 1, AllOf(HasSubstr("Make several of it"), HasSubstr("[TOO_LARGE]")));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(60));
  // Fewer, which the daemon itself refuses.
  list.resize(list.find("\n12002\n") + 1);
  ExpectRefused(Create(list), 1,
                AllOf(HasSubstr("max_lines in [batches]"), HasSubstr("[TOO_LARGE]")));
}

TEST_F(BatchBadInput, ATenantTwice) {
  ExpectRefused(Create("id\n1001\n1002\n1001\n"), 6,
                AllOf(HasSubstr("TENANT_TWICE, 1 line: line 4"),
                      HasSubstr("1 of 3 lines cannot be restored. Nothing was begun.")));
  // Also where it is once an id and once a name.
  ExpectRefused(Create("1001\nAcme Corp\n"), 6, HasSubstr("TENANT_TWICE, 1 line: line 2"));
  const ProgramResult skipped =
      Create("id\n1001\n1002\n1001\n", {"--skip-invalid", "--confirm", "2", "--wait"});
  EXPECT_EQ(skipped.exit_code, 3) << skipped.err;
  EXPECT_EQ(Issues("1001"), kRows);
  const nlohmann::json batch = Json({"batch", "list"})[0];
  EXPECT_EQ(batch["lines"]["notRestored"], "1");
  EXPECT_EQ(batch["lines"]["succeeded"], "2");
}

// More than the daemon lists at once.
TEST_F(BatchBadInput, ATenantFifteenHundredTimes) {
  std::string list;
  for (int i = 0; i < 1'500; ++i) {
    absl::StrAppend(&list, "1001\n");
  }
  const ProgramResult refused = Create(list, {"-o", "csv"});
  ExpectRefused(refused, 6,
                AllOf(HasSubstr("TENANT_TWICE, 1,499 lines: lines 2-1500\n"),
                      HasSubstr("  … and 1,489 more; -o csv and -o json write all\n"),
                      HasSubstr("1,499 of 1,500 lines cannot be restored.")));
  EXPECT_EQ(std::count(refused.out.begin(), refused.out.end(), '\n'), 1 + 1'499);
  EXPECT_THAT(refused.out, HasSubstr("\r\n1500,1001,1001,TENANT_TWICE,"));
}

TEST_F(BatchBadInput, AMixOfStores) {
  ExpectRefused(Create("id,store\n1001,main\n1002,wiki\n"), 6,
                AllOf(HasSubstr("line 3"), HasSubstr("wiki"), HasSubstr("[BATCH_LINES_INVALID]")));
  ExpectRefused(Create("1001\n", {"--store", "wiki"}), 5, HasSubstr("[STORE_NOT_FOUND]"));
  ExpectRefused(Create("1001\n", {"--group", "site"}), 5, HasSubstr("[GROUP_NOT_FOUND]"));
}

TEST_F(BatchBadInput, ADigestThatNoLongerHolds) {
  std::ofstream(Path("list")) << "1001\n1002\n";
  const nlohmann::json plan = Json({"batch", "create", "-f", Path("list"), "--at", "latest",
                                    "--mode", "mirror", "--dry-run", "--wait"});
  const std::string id = plan["id"];
  const std::string digest = plan["digest"];
  const ProgramResult wrong =
      Run({"batch", "create", "--plan", id, "--digest", std::string(64, 'e'), "--wait"});
  EXPECT_EQ(wrong.exit_code, 6) << wrong.err;
  EXPECT_THAT(wrong.err, HasSubstr("[PLAN_CHANGED]"));
  EXPECT_EQ(Issues("1001"), 0);
  // It held when it was given; one tenant has changed since, which alone is left as it is.
  ASSERT_EQ(Run({"record", "put", "1002", "issue", "000001", "newer"}).exit_code, 0);
  const ProgramResult stale = Run({"batch", "create", "--plan", id, "--digest", digest, "--wait"});
  EXPECT_EQ(stale.exit_code, 3) << stale.err;
  EXPECT_THAT(stale.err, AllOf(HasSubstr("PLAN_CHANGED, 1 line"), HasSubstr("1002")));
  EXPECT_EQ(Issues("1001"), kRows);
  EXPECT_EQ(Run({"record", "get", "1002", "issue", "000001", "--raw"}).out, "newer");
}

TEST_F(BatchBadInput, HooksThatHangFailOrPrintMegabytes) {
  const auto hook = [&](const std::string& name, const std::string& script,
                        const std::string& more) {
    return absl::StrCat("[[hook]]\nname = \"", name, "\"\ncommand = [\"",
                        WriteScript(Path(name), script), "\"]\nretries = 0\n", more, "\n");
  };
  std::ofstream(Path("reinstated.toml"))
      << hook("hangs", "sleep 600", "when = \"before\"\ntimeout = \"300ms\"")
      << hook("fails", "echo no such index; exit 7", "when = \"after\"")
      << hook("prints", "yes 'all of it' | head -c 20000000; exit 9", "when = \"after\"");
  StartDaemon("", {"--config", Path("reinstated.toml")});
  const ProgramResult created = Create("1001\n1002\n", {"--confirm", "2", "--wait"});
  EXPECT_EQ(created.exit_code, 0) << created.err << daemon_->Output();
  EXPECT_EQ(Issues("1001"), kRows);
  for (const nlohmann::json& restore : Json({"restore", "list"})) {
    const ProgramResult shown = Run({"restore", "get", restore["id"]});
    EXPECT_THAT(shown.out, AllOf(HasSubstr("before  hangs failed"), HasSubstr("within 300ms"),
                                 HasSubstr("after   fails failed"), HasSubstr("no such index"),
                                 HasSubstr("after   prints failed"), HasSubstr("all of it")));
    EXPECT_LT(shown.out.size(), 20'000);
  }
  EXPECT_LT(daemon_->Output().size(), 100'000);
}

}  // namespace
}  // namespace reinstate

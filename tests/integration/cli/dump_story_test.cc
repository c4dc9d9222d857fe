#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/cli/cli_site.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  if (!lines.empty() && lines.back().empty()) {
    lines.pop_back();
  }
  return lines;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// A dump of two customers, in which 1001 has an issue that it never had live.
std::string Dump(const std::string& instant) {
  return absl::StrCat(R"({"reinstate_dump": 1, "store": "main", "instant": ")", instant,
                      R"(", "tables": [{"table": "tenant"}, {"table": "issue"}]}
{"tenant": "1001", "labels": ["Acme Corp", "acme"]}
{"tenant": "1001", "table": "tenant", "key": "name", "payload": "Acme Corp"}
{"tenant": "1001", "table": "issue", "key": "000001", "payload": "as it was in the dump"}
{"tenant": "1001", "table": "issue", "key_base64": "/w==", "payload_base64": "AP8="}
{"tenant": "1002", "table": "tenant", "key": "name", "payload": "Globex"}
{"end": true, "rows": {"tenant": 2, "issue": 2}}
)");
}

class DumpStory : public CliSite {
 protected:
  void SetUp() override {
    StartDaemon();
    LoadAndSnapshot(/*rows=*/50);
  }

  std::string Path(const std::string& name) const { return dir_.path() + "/" + name; }

  ProgramResult Import(const std::string& dump, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {"snapshot", "import", "-", "--wait"};
    words.insert(words.end(), more.begin(), more.end());
    return Run(words, dump);
  }

  // What is left of imports. One that has ended removes its file a moment later.
  std::vector<std::string> FilesOfImports() const {
    const absl::Time until = absl::Now() + absl::Seconds(20);
    std::vector<std::string> names;
    do {
      names.clear();
      for (const auto& entry : std::filesystem::directory_iterator(dir_.path() + "/data/imports")) {
        names.push_back(entry.path().filename());
      }
    } while (!names.empty() && absl::Now() < until);
    return names;
  }
};

TEST_F(DumpStory, ExportsWhatACustomerHadThoughItIsGoneLive) {
  DeleteTenant("1001");
  const std::string path = Path("1001.jsonl");
  const ProgramResult exported = Run({"tenant", "export", "1001", "--at", "latest", "--to", path,
                                      "--reason", "access request 17"});
  ASSERT_EQ(exported.exit_code, 0) << exported.err;
  EXPECT_EQ(exported.out, "");
  EXPECT_THAT(exported.err, AllOf(HasSubstr("51 rows of 2 tables"), HasSubstr("As of snap-1-1"),
                                  HasSubstr("sum ")));
  EXPECT_FALSE(std::filesystem::exists(path + ".partial"));

  const std::vector<std::string> lines = LinesOf(ReadFile(path));
  ASSERT_THAT(lines, SizeIs(54));
  const auto header = nlohmann::json::parse(lines.front());
  EXPECT_EQ(header["snapshot"], "snap-1-1");
  EXPECT_EQ(header["tenant"], "1001");
  EXPECT_EQ(nlohmann::json::parse(lines[1])["labels"][0], "Acme Corp");
  EXPECT_EQ(lines[2],
            R"({"tenant":"1001","table":"issue","key":"000000","payload":"Acme's issue 0"})");
  const auto end = nlohmann::json::parse(lines.back());
  EXPECT_EQ(end["rows"]["issue"], 50);
  EXPECT_EQ(end["rows"]["tenant"], 1);
  EXPECT_EQ(Issues("1001"), 0) << "an export must change nothing";

  const ProgramResult printed = Run({"tenant", "export", "1001", "--at", "snap-1-1"});
  ASSERT_EQ(printed.exit_code, 0) << printed.err;
  EXPECT_EQ(printed.out, ReadFile(path));
}

TEST_F(DumpStory, ExportsOneTableAsCsv) {
  const std::string folder = Path("csv");
  const ProgramResult exported = Run({"tenant", "export", "1001", "--at", "latest", "--table",
                                      "tenant", "-o", "csv", "--to", folder});
  ASSERT_EQ(exported.exit_code, 0) << exported.err;
  EXPECT_EQ(ReadFile(folder + "/tenant.csv"), "key,payload\r\nname,Acme Corp\r\n");
  EXPECT_FALSE(std::filesystem::exists(folder + "/issue.csv"));
  EXPECT_FALSE(std::filesystem::exists(folder + ".partial"));
}

TEST_F(DumpStory, OverwritesAnEarlierExportOnlyIfToldTo) {
  const std::string path = Path("1001.jsonl");
  std::ofstream(path) << "of yesterday";
  const std::vector<std::string> words = {"tenant", "export", "1001", "--at",
                                          "latest", "--to",   path};
  const ProgramResult refused = Run(words);
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, AllOf(HasSubstr(path), HasSubstr("overwrite it with --force")));
  EXPECT_EQ(ReadFile(path), "of yesterday");
  std::vector<std::string> forced = words;
  forced.emplace_back("--force");
  EXPECT_EQ(Run(forced).exit_code, 0);
  EXPECT_EQ(ReadFile(path), Run({"tenant", "export", "1001", "--at", "latest"}).out);
  // A folder may hold anything.
  const std::string folder = Path("csv");
  std::filesystem::create_directory(folder);
  EXPECT_EQ(
      Run({"tenant", "export", "1001", "--at", "latest", "-o", "csv", "--to", folder, "--force"})
          .exit_code,
      2);
}

TEST_F(DumpStory, RefusesAnExportOfWhatThereIsNot) {
  const std::string path = Path("nothing.jsonl");
  EXPECT_EQ(Run({"tenant", "export", "9999", "--at", "latest", "--to", path}).exit_code, 5);
  EXPECT_EQ(Run({"tenant", "export", "1001", "--at", "latest", "--table", "nope", "--to", path})
                .exit_code,
            5);
  EXPECT_EQ(Run({"tenant", "export", "1001", "--at", "latest", "-o", "csv"}).exit_code, 2);
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
}

TEST_F(DumpStory, RestoresACustomerFromAnImportedDump) {
  const ProgramResult imported = Import(Dump("2026-04-01T00:00:00Z"));
  ASSERT_EQ(imported.exit_code, 0) << imported.err;
  EXPECT_THAT(imported.out, HasSubstr("snap-2-1"));
  EXPECT_THAT(FilesOfImports(), IsEmpty());

  const auto shown = Json({"snapshot", "show", "snap-2-1"});
  EXPECT_EQ(shown["lineageName"], "imported");
  EXPECT_EQ(shown["instant"], "2026-04-01T00:00:00Z");
  EXPECT_EQ(shown["tenants"], "2");
  EXPECT_EQ(shown["store"], "main");
  EXPECT_THAT(Json({"snapshot", "list"}), SizeIs(2));
  EXPECT_EQ(Json({"snapshot", "resolve", "--at", "latest"})["snapshot"], "snap-1-1")
      << "a dump must not disturb the store's own lineage";
  EXPECT_EQ(Json({"snapshot", "resolve", "--at", "imported/latest"})["snapshot"], "snap-2-1");
  EXPECT_EQ(Run({"snapshot", "verify", "snap-2-1", "--wait"}).exit_code, 0);
  EXPECT_EQ(Json({"tenant", "show", "1001", "--at", "snap-2-1"})["ref"]["label"], "Acme Corp");

  DeleteTenant("1001");
  const ProgramResult restored = Run({"restore", "create", "1001", "--at", "snap-2-1", "--mode",
                                      "mirror", "--confirm", "1001", "--wait"});
  ASSERT_EQ(restored.exit_code, 0) << restored.err;
  EXPECT_EQ(Run({"record", "get", "1001", "issue", "000001", "--raw"}).out,
            "as it was in the dump");
  EXPECT_EQ(Issues("1001"), 2);
  EXPECT_EQ(Issues("1002"), 50);

  // What the restored customer has is what an export of the point has, byte by byte.
  const ProgramResult exported = Run({"tenant", "export", "1001", "--at", "imported/latest"});
  ASSERT_EQ(exported.exit_code, 0) << exported.err;
  EXPECT_THAT(exported.out,
              AllOf(HasSubstr(R"("key_base64":"/w==")"), HasSubstr(R"("payload_base64":"AP8=")")));
}

TEST_F(DumpStory, ImportsItsOwnExport) {
  const ProgramResult exported = Run({"tenant", "export", "1001", "--at", "latest"});
  ASSERT_EQ(exported.exit_code, 0) << exported.err;
  const ProgramResult imported = Import(exported.out, {"--lineage", "kept"});
  ASSERT_EQ(imported.exit_code, 0) << imported.err;
  const ProgramResult again = Run({"tenant", "export", "1001", "--at", "kept/latest"});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  std::vector<std::string> before = LinesOf(exported.out);
  std::vector<std::string> after = LinesOf(again.out);
  ASSERT_EQ(before.size(), after.size());
  before.erase(before.begin());  // the header names the snapshot
  after.erase(after.begin());
  EXPECT_EQ(before, after);
}

TEST_F(DumpStory, KeepsTheDumpsOfALineageInTheirOrder) {
  ASSERT_EQ(Import(Dump("2026-04-01T00:00:00Z")).exit_code, 0);
  ASSERT_EQ(Import(Dump("2026-04-02T00:00:00Z")).exit_code, 0);
  EXPECT_EQ(Json({"snapshot", "show", "snap-2-2"})["collapse"]["vanishedTenants"], "0");
  for (const char* instant : {"2026-04-01T12:00:00Z", "2026-04-02T00:00:00Z"}) {
    const ProgramResult refused = Import(Dump(instant));
    EXPECT_EQ(refused.exit_code, 6) << refused.err;
    EXPECT_THAT(refused.err, AllOf(HasSubstr("[CLOCK_JUMPED]"), HasSubstr("snap-2-2")));
  }
  EXPECT_EQ(Import(Dump("2026-03-01T00:00:00Z"), {"--lineage", "older"}).exit_code, 0);
  EXPECT_EQ(Json({"snapshot", "resolve", "--at", "older/latest"})["snapshot"], "snap-3-1");
  EXPECT_EQ(Json({"snapshot", "resolve", "--at", "imported/2026-04-01T06:00:00Z"})["snapshot"],
            "snap-2-1");

  ASSERT_EQ(Run({"snapshot", "delete", "snap-2-2", "--confirm", "snap-2-2"}).exit_code, 0);
  EXPECT_EQ(Json({"snapshot", "resolve", "--at", "imported/latest"})["snapshot"], "snap-2-1");
  ASSERT_EQ(Run({"snapshot", "undelete", "snap-2-2"}).exit_code, 0);

  StartDaemon();
  EXPECT_THAT(Json({"snapshot", "list"}), SizeIs(4));
  EXPECT_EQ(Run({"snapshot", "take", "--wait"}).exit_code, 0) << "the history must be writable";
}

TEST_F(DumpStory, RefusesABadDumpAndLeavesNothingBehind) {
  struct Case {
    std::vector<std::pair<std::string, std::string>> changes;
    int exit_code;
    std::string says;
  };
  const std::string end = R"({"end": true, "rows": {"tenant": 2, "issue": 2}})";
  const std::vector<Case> cases = {
      {{{end, ""}}, 9, "has no end"},
      {{{R"("issue": 2)", R"("issue": 3)"}}, 9, "says that table issue has 3 rows, and 2 came"},
      {{{R"({"table": "issue"})", R"({"table": "issues"})"}},
       2,
       "line 4: the header has no table \"issue\""},
      {{{R"("key": "000001")", R"("key": 1)"}}, 2, "line 4: key must be a string"},
      {{{R"("key": "000001")", R"("kay": "000001")"}}, 2, "line 4: there is an unknown field kay"},
      {{{R"("payload_base64": "AP8=")", R"("payload_base64": "?")"}}, 2, "line 5"},
      {{{R"({"tenant": "1002", "table")", R"({"table")"}}, 2, "line 6: the line has no tenant"},
      {{{R"("table": "tenant", "key": "name", "payload": "Globex"})", R"("table": "tena)"}},
       2,
       "line 6: this is not a JSON object"},
      {{{R"("key_base64": "/w==")", R"("key": "000001")"}}, 9, "same row"},
      {{{R"("store": "main")", R"("store": "other")"}}, 2, "header.store"},
      {{{R"("store": "main")", R"("store_identity": "x")"}}, 6, "[STORE_IDENTITY_CHANGED]"},
      {{{"2026-04-01T", "2099-04-01T"}}, 6, "[CLOCK_JUMPED]"},
      {{{R"("instant": "2026-04-01T00:00:00Z")", R"("instant": "yesterday")"}}, 2, "line 1"},
      {{{R"("reinstate_dump": 1)", R"("reinstate_dump": 2)"}}, 2, "line 1"},
      {{{end, absl::StrCat(end, "\n", end)}}, 2, "more after the end"},
  };
  for (const Case& bad : cases) {
    SCOPED_TRACE(bad.says);
    std::string dump = Dump("2026-04-01T00:00:00Z");
    for (const auto& [from, to] : bad.changes) {
      ASSERT_NE(dump.find(from), std::string::npos);
      dump.replace(dump.find(from), from.size(), to);
    }
    const ProgramResult refused = Import(dump);
    EXPECT_EQ(refused.exit_code, bad.exit_code) << refused.err << refused.out;
    EXPECT_THAT(refused.err, HasSubstr(bad.says));
    EXPECT_THAT(Json({"snapshot", "list"}), SizeIs(1));
    EXPECT_THAT(FilesOfImports(), IsEmpty());
  }
  EXPECT_EQ(Run({"snapshot", "import", "-", "--lineage", "no/name"}, Dump("2026-04-01T00:00:00Z"))
                .exit_code,
            2);
  EXPECT_EQ(Import(Dump("2026-04-01T00:00:00Z"), {"--check"}).exit_code, 0);
  EXPECT_THAT(Json({"snapshot", "list"}), SizeIs(1)) << "a check must import nothing";
  EXPECT_EQ(Import(Dump("2026-04-01T00:00:00Z")).exit_code, 0) << "the dump itself is good";
}

TEST_F(DumpStory, GoesOnWithAnImportAfterTheDaemonWasKilled) {
  for (const char* place : {"history.before_ingest", "history.after_ingest"}) {
    SCOPED_TRACE(place);
    StartDaemon(absl::StrCat(place, "=crash"));
    const std::string lineage = std::string(place) == "history.before_ingest" ? "one" : "two";
    Run({"snapshot", "import", "-", "--lineage", lineage}, Dump("2026-04-01T00:00:00Z"));
    StartDaemon();
    const nlohmann::json jobs = Json({"job", "list", "--limit", "1"});
    ASSERT_THAT(jobs, SizeIs(1));
    EXPECT_EQ(jobs[0]["kind"], "JOB_KIND_IMPORT");
    EXPECT_EQ(Run({"job", "watch", jobs[0]["id"]}).exit_code, 0);
    EXPECT_EQ(Json({"snapshot", "resolve", "--at", lineage + "/latest"})["snapshot"],
              lineage == "one" ? "snap-2-1" : "snap-3-1");
    EXPECT_THAT(FilesOfImports(), IsEmpty());
  }
  EXPECT_THAT(Json({"snapshot", "list"}), SizeIs(3));
}

}  // namespace
}  // namespace reinstate

#include "client/cli/completion.h"

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/command_tree.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temp_dir.h"

namespace reinstate {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class CompletionTest : public testing::Test {
 protected:
  CompletionTest() {
    const CommandTree tree;
    std::ofstream(dir_.path() + "/bash") << BashCompletion(tree.app());
    std::ofstream(dir_.path() + "/zsh") << ZshCompletion(tree.app());
  }

  // What a program of the shell prints, line by line.
  static std::vector<std::string> LinesOf(const std::string& command) {
    FILE* pipe = popen(command.c_str(), "r");
    std::string text;
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
      text += static_cast<char>(c);
    }
    EXPECT_EQ(pclose(pipe), 0) << command;
    return absl::StrSplit(text, '\n', absl::SkipEmpty());
  }

  // What bash offers after `words`, the last of which is being typed.
  std::vector<std::string> Offered(const std::vector<std::string>& words) const {
    return LinesOf(absl::StrCat("cd ", dir_.path(),
                                " && bash -uc 'source ./bash; COMP_WORDS=(reinstate \"",
                                absl::StrJoin(words, "\" \""), "\"); COMP_CWORD=", words.size(),
                                "; _reinstate; printf \"%s\\n\" \"${COMPREPLY[@]-}\"'"));
  }

  TempDir dir_;
};

TEST_F(CompletionTest, OffersNounsAndVerbs) {
  EXPECT_THAT(Offered({""}), IsSupersetOf({"store", "snapshot", "tenant", "restore", "record"}));
  EXPECT_THAT(Offered({"re"}), UnorderedElementsAre("restore", "record"));
  EXPECT_THAT(Offered({"tenant", ""}),
              UnorderedElementsAre("list", "find", "show", "compare", "export"));
  EXPECT_THAT(Offered({"snapshot", "un"}), ElementsAre("undelete"));
  EXPECT_THAT(Offered({"store", "th"}), ElementsAre("throttle"));
}

TEST_F(CompletionTest, OffersTheOptionsOfTheCommandAndThoseOfEveryCommand) {
  EXPECT_THAT(Offered({"restore", "create", "1001", "--"}),
              IsSupersetOf({"--at", "--mode", "--wait", "--confirm", "--address", "--output"}));
  EXPECT_THAT(Offered({"restore", "list", "--"}), Not(Contains("--mode")));
  EXPECT_THAT(Offered({"store", "throttle", "main", "--"}),
              IsSupersetOf({"--rows-per-second", "--bytes-per-second", "--max-running", "--off"}));
}

TEST_F(CompletionTest, OffersTheValuesOfAnOption) {
  EXPECT_THAT(Offered({"restore", "create", "--mode", ""}),
              UnorderedElementsAre("create-missing", "overwrite", "mirror"));
  EXPECT_THAT(Offered({"store", "list", "-o", "j"}), ElementsAre("json"));
  EXPECT_THAT(Offered({"--output", "t"}), ElementsAre("table"));
  EXPECT_THAT(Offered({"completion", ""}), UnorderedElementsAre("bash", "zsh"));
}

TEST_F(CompletionTest, FindsTheCommandBehindOptionsWithValues) {
  EXPECT_THAT(Offered({"-o", "json", "restore", "undo", "--skip"}),
              ElementsAre("--skip-conflicts"));
}

TEST_F(CompletionTest, OffersFilesWhereAFileIsMeant) {
  EXPECT_THAT(Offered({"record", "load", "ba"}), ElementsAre("bash"));
  EXPECT_THAT(Offered({"--tls-ca", "zs"}), ElementsAre("zsh"));
}

TEST_F(CompletionTest, OffersNothingWhereOnlyThePersonKnows) {
  EXPECT_THAT(Offered({"restore", "get", ""}), testing::IsEmpty());
  EXPECT_THAT(Offered({"restore", "create", "--at", ""}), testing::IsEmpty());
}

// zsh's own functions for completion work only at a prompt: they are replaced by some that print.
TEST_F(CompletionTest, OffersTheSameInZsh) {
  const auto offered = [&](const std::string& words, int current) {
    return LinesOf(
        absl::StrCat("cd ", dir_.path(),
                     " && zsh -fuc 'compdef() { : }; compadd() { shift; print -l -- $@ }; "
                     "_files() { print FILES }; source ./zsh; words=(reinstate ",
                     words, "); CURRENT=", current, "; _reinstate'"));
  };
  EXPECT_THAT(offered("tenant \"\"", 3),
              UnorderedElementsAre("list", "find", "show", "compare", "export"));
  EXPECT_THAT(offered("restore create 1001 --mode \"\"", 6),
              UnorderedElementsAre("create-missing", "overwrite", "mirror"));
  EXPECT_THAT(offered("restore undo --sk", 4), IsSupersetOf({"--skip-conflicts", "--output"}));
  EXPECT_THAT(offered("--tls-ca \"\"", 3), ElementsAre("FILES"));
}

}  // namespace
}  // namespace reinstate

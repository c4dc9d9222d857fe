#include "client/cli/command_tree.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// The words of a command line in the quoting that our examples use: '…', "…" and no more.
std::vector<std::string> ShellWords(const std::string& line) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;
  for (const char c : line) {
    if (quote == 0 && c == ' ') {
      in_word = false;
    } else {
      if (!std::exchange(in_word, true)) {
        words.emplace_back();
      }
      if (quote == 0 && (c == '\'' || c == '"')) {
        quote = c;
      } else if (c == quote) {
        quote = 0;
      } else {
        words.back() += c;
      }
    }
  }
  return words;
}

void CollectCommands(const CLI::App& app, std::vector<const CLI::App*>* commands) {
  const auto children = app.get_subcommands([](const CLI::App*) { return true; });
  if (children.empty()) {
    commands->push_back(&app);
  }
  for (const CLI::App* child : children) {
    CollectCommands(*child, commands);
  }
}

// The command lines in the help of a command. What another program does with ours is cut off.
std::vector<std::string> ExamplesOf(const CLI::App& app) {
  std::vector<std::string> examples;
  const std::vector<std::string> lines = absl::StrSplit(app.get_footer(), '\n');
  for (std::string line : lines) {
    const std::string::size_type begin = line.find("reinstate ");
    if (!absl::StartsWith(line, "  ") || begin == std::string::npos) {
      continue;
    }
    line = line.substr(begin);
    line = line.substr(0, line.find_first_of(">)|"));
    examples.push_back(line);
  }
  return examples;
}

absl::Status ParseStatus(const std::string& line) {
  std::vector<std::string> words = ShellWords(line);
  words.erase(words.begin());  // "reinstate"
  CommandTree tree;
  return tree.Parse(words).status();
}

TEST(CommandTree, HasAnExampleForEachCommandAndUnderstandsIt) {
  const CommandTree tree;
  std::vector<const CLI::App*> commands;
  CollectCommands(tree.app(), &commands);
  EXPECT_GE(commands.size(), 30);
  for (const CLI::App* command : commands) {
    const std::vector<std::string> examples = ExamplesOf(*command);
    EXPECT_FALSE(examples.empty()) << command->get_name();
    for (const std::string& example : examples) {
      EXPECT_TRUE(ParseStatus(example).ok()) << example << ": " << ParseStatus(example);
    }
  }
  EXPECT_EQ(ExamplesOf(tree.app()).size(), 3);
}

TEST(CommandTree, GivesHelpForEachCommandUnderItsFullName) {
  CommandTree tree;
  const auto parsed = tree.Parse({"restore", "create", "--help"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->action, nullptr);
  EXPECT_THAT(parsed->text, HasSubstr("Usage: reinstate restore create [TENANT] [OPTIONS]"));
}

TEST(CommandTree, GivesNoHelpForWhatIsNoCommand) {
  EXPECT_THAT(std::string(ParseStatus("reinstate audit --help").message()),
              HasSubstr("There is no command audit; there are: "));
  EXPECT_THAT(std::string(ParseStatus("reinstate restore begin --help").message()),
              HasSubstr("There is no command restore begin; there are: "));
}

TEST(CommandTree, TakesAPointInAllItsForms) {
  for (const char* at :
       {"latest", "snap-1-12", "2026-04-05T07:38:00Z", "2h", "'2h ago'", "-2h", "-2h30m"}) {
    const std::string line = std::string("reinstate restore plan 1001 --at ") + at;
    EXPECT_TRUE(ParseStatus(line).ok()) << line << ": " << ParseStatus(line);
  }
}

TEST(CommandTree, TakesTheOptionsOfEveryCommandAnywhere) {
  for (const char* line : {"reinstate -o json store list", "reinstate store list -o json",
                           "reinstate store -o json list"}) {
    CommandTree tree;
    std::vector<std::string> words = ShellWords(line);
    words.erase(words.begin());
    ASSERT_TRUE(tree.Parse(words).ok()) << line;
    EXPECT_EQ(tree.globals().output, "json") << line;
  }
}

// Of `reinstate`, all commands together.
void CollectFlags(const CLI::App& app, std::set<std::string>* flags) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      flags->insert("--" + name);
    }
  }
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    CollectFlags(*child, flags);
  }
}

std::string ReadSource(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::set<std::string> FindAll(const std::string& text, const std::regex& pattern) {
  std::set<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
    found.insert(match->str(1));
  }
  return found;
}

// The string literals of a source file; those that follow each other are one.
std::vector<std::string> Literals(const std::string& source) {
  std::vector<std::string> literals;
  size_t end = 0;
  for (size_t at = source.find('"'); at != std::string::npos; at = source.find('"', end)) {
    if (source.compare(at - 1, 3, "'\"'") == 0) {
      end = at + 1;
      continue;
    }
    if (literals.empty() || source.find_first_not_of(" \n", end) != at) {
      literals.emplace_back();
    }
    // A quote in a comment ends with its line.
    for (end = at + 1; end < source.size() && source[end] != '"' && source[end] != '\n'; ++end) {
      end += source[end] == '\\' ? 1 : 0;
      literals.back() += source[end];
    }
    ++end;
  }
  return literals;
}

std::set<std::string> FlagsInLiterals(const std::string& source) {
  static const std::regex kFlag("(?:^|[^a-z-])(--[a-z][a-z-]*[a-z])");
  std::set<std::string> flags;
  for (const std::string& literal : Literals(source)) {
    if (literal.find("--") != std::string::npos) {
      flags.merge(FindAll(literal, kFlag));
    }
  }
  return flags;
}

TEST(CommandTree, HasEveryFlagThatAMessageOfTheDaemonNames) {
  const std::filesystem::path root(REINSTATE_SOURCES);
  const CommandTree tree;
  std::set<std::string> flags;
  CollectFlags(tree.app(), &flags);
  ASSERT_TRUE(flags.contains("--accept-shrunken"));
  flags.merge(FindAll(ReadSource(root / "server/main.cc"),
                      std::regex("(?:add_option|add_flag|set_version_flag)\\(\"(--[a-z-]+)\"")));
  ASSERT_TRUE(flags.contains("--accept-history"));

  std::set<std::string> named;
  for (const char* folder : {"server", "storage"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      if (entry.path().extension() == ".cc") {
        for (const std::string& flag : FlagsInLiterals(ReadSource(entry.path()))) {
          named.insert(flag);
          EXPECT_TRUE(flags.contains(flag)) << entry.path() << " names " << flag;
        }
      }
    }
  }
  EXPECT_TRUE(named.contains("--accept-uncovered-tables"));
  EXPECT_TRUE(named.contains("--accept-history"));
}

TEST(CommandTree, SaysWhatIsWrongAndWhereHelpIs) {
  struct Case {
    const char* line;
    const char* complaint;
    const char* help;
  };
  for (const Case& wrong : std::vector<Case>{
           {"reinstate", "Say what to do", "reinstate --help"},
           {"reinstate store", "Say what to do", "reinstate store --help"},
           {"reinstate shop list", "no command shop", "reinstate --help"},
           {"reinstate store lst", "no command store lst", "reinstate store --help"},
           {"reinstate store list --all", "--all", "reinstate store list --help"},
           {"reinstate store list x", "Not understood: x", "reinstate store list --help"},
           {"reinstate tenant compare 1", "--at is required", "reinstate tenant compare --help"},
           {"reinstate restore get", "RESTORE is required", "reinstate restore get --help"},
           {"reinstate -o xml store list", "xml", "--help"},
           {"reinstate restore create 1 --plan p --at 2h", "--plan", "reinstate restore create"},
           {"reinstate restore create 1 --at 2h --mode undo", "undo", "reinstate restore create"},
           {"reinstate restore create 1 --at 2h --priority high", "high", "--help"},
       }) {
    const absl::Status status = ParseStatus(wrong.line);
    EXPECT_EQ(ReasonOf(status), "INVALID_ARGUMENT") << wrong.line;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(wrong.complaint), HasSubstr(wrong.help)))
        << wrong.line;
  }
}

}  // namespace
}  // namespace reinstate

#include "client/cli/help_formatter.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace reinstate {
namespace {

constexpr int kNameColumns = 30;
constexpr int kDescriptionColumns = 50;

// Lines of at most kDescriptionColumns.
std::string Wrapped(const std::string& text) {
  std::string result;
  size_t column = 0;
  for (const auto word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (column > 0 && column + 1 + word.size() > kDescriptionColumns) {
      result += '\n';
      column = 0;
    }
    absl::StrAppend(&result, column > 0 ? " " : "", word);
    column += word.size() + (column > 0 ? 1 : 0);
  }
  return result;
}

// "TEXT:{a,b}" is what CLI11 calls the type of an option with a fixed set of values.
std::string TypeText(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t open = type.find('{');
  return open == std::string::npos
             ? type
             : absl::StrReplaceAll(type.substr(open + 1, type.size() - open - 2), {{",", "|"}});
}

}  // namespace

HelpFormatter::HelpFormatter() { column_width(kNameColumns); }

std::string HelpFormatter::make_usage(const CLI::App* app, std::string name) const {
  std::string usage = absl::StrCat("\nUsage: ", name);
  const auto has_commands = !app->get_subcommands([](const CLI::App*) { return true; }).empty();
  for (const CLI::Option* option :
       app->get_options([](const CLI::Option* o) { return !o->nonpositional(); })) {
    std::string word = option->get_name(/*positional=*/true);
    if (option->get_items_expected_max() > 1) {
      absl::StrAppend(&word, "...");
    }
    absl::StrAppend(&usage, " ", option->get_required() ? word : absl::StrCat("[", word, "]"));
  }
  absl::StrAppend(&usage,
                  has_commands ? (app->get_parent() == nullptr ? " NOUN VERB" : " VERB") : "",
                  " [OPTIONS]\n");
  return usage;
}

std::string HelpFormatter::make_subcommands(const CLI::App* app, CLI::AppFormatMode mode) const {
  return absl::StrReplaceAll(
      CLI::Formatter::make_subcommands(app, mode),
      {{"Subcommands:", app->get_parent() == nullptr ? "Nouns:" : "Verbs:"}});
}

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  // The name of an argument stands for its type.
  if (option->get_items_expected_max() == 0 || !option->nonpositional()) {
    return "";
  }
  return absl::StrCat(" ", TypeText(*option));
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
  std::vector<std::string> notes;
  if (option->get_required() && option->nonpositional()) {
    notes.emplace_back("required");
  }
  if (!option->nonpositional() && TypeText(*option).find('|') != std::string::npos) {
    notes.push_back(TypeText(*option));
  }
  if (!option->get_default_str().empty() && option->get_items_expected_max() != 0) {
    notes.push_back(absl::StrCat("default ", option->get_default_str()));
  }
  if (!option->get_envname().empty()) {
    notes.push_back(absl::StrCat("also $", option->get_envname()));
  }
  if (!option->get_needs().empty()) {
    notes.push_back(absl::StrCat("with ", (*option->get_needs().begin())->get_name()));
  }
  std::string text = option->get_description();
  if (!notes.empty()) {
    absl::StrAppend(&text, " (", absl::StrJoin(notes, ", "), ")");
  }
  return Wrapped(text);
}

}  // namespace reinstate

#include "client/cli/command_tree.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/cli/batch.h"
#include "client/cli/help_formatter.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr char kProgram[] = "reinstate";

constexpr char kGlobalGroup[] = "Options of every command";

// "--at -2h" names a time ago; CLI11 would take "-2h" for options of its own.
std::vector<std::string> JoinNegativeTimes(const std::vector<std::string>& words) {
  std::vector<std::string> result;
  for (const std::string& word : words) {
    const bool negative_time = word.size() > 1 && word[0] == '-' && absl::ascii_isdigit(word[1]);
    if (negative_time && !result.empty() && result.back() == "--at") {
      absl::StrAppend(&result.back(), "=", word);
    } else {
      result.push_back(word);
    }
  }
  return result;
}

// The command that the words have reached, from the root on.
const CLI::App* DeepestParsed(const CLI::App* app) {
  for (;;) {
    const std::vector<const CLI::App*> parsed =
        app->get_subcommands([](const CLI::App* command) { return command->parsed(); });
    if (parsed.empty()) {
      return app;
    }
    app = parsed.front();
  }
}

std::string FullName(const CLI::App* app) {
  std::string name = app->get_name();
  for (app = app->get_parent(); app != nullptr; app = app->get_parent()) {
    name = absl::StrCat(app->get_name(), " ", name);
  }
  return name;
}

std::string NamesBelow(const CLI::App* app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app->get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return absl::StrJoin(names, ", ");
}

absl::Status UsageError(const CLI::App* at, std::string message) {
  message = std::string(absl::StripTrailingAsciiWhitespace(message));
  if (!absl::EndsWith(message, ".")) {
    message += '.';
  }
  return MakeError(Reason::kInvalidArgument,
                   absl::StrCat(message, " See: ", FullName(at), " --help"));
}

// A word that is no command where one is needed.
absl::Status UnknownCommand(const CLI::App* at, const std::string& word) {
  const std::string place = at->get_parent() == nullptr ? "" : absl::StrCat(at->get_name(), " ");
  if (word.empty()) {
    return UsageError(at, absl::StrCat("Say what to do: ", FullName(at), " ", NamesBelow(at)));
  }
  return UsageError(
      at, absl::StrCat("There is no command ", place, word, "; there are: ", NamesBelow(at)));
}

}  // namespace

CommandTree::CommandTree()
    : app_("Puts back one customer's data in a shared, live store, from a point in the past.",
           kProgram) {
  app_.formatter(std::make_shared<HelpFormatter>());  // inherited by the commands
  app_.fallthrough();  // options of every command may stand anywhere; inherited by the commands
  app_.require_subcommand(0, 1);
  app_.set_help_all_flag();
  AddGlobalOptions();
  AddStoreCommands(this);
  AddSnapshotCommands(this);
  AddTenantCommands(this);
  AddRestoreCommands(this);
  AddBatchCommands(this);
  AddRecordCommands(this);
  AddJobCommands(this);
  AddProgramCommands(this);
  app_.footer(
      "Help for a command: reinstate NOUN VERB --help. Exit codes: 0 ok, 1 failed, 2 usage,\n"
      "3 partly failed, 4 not allowed, 5 not found, 6 conflict, 7 unavailable or deadline,\n"
      "8 declined, 9 verification mismatch, 130 interrupted.\n\n"
      "Example:\n"
      "  reinstate tenant find 'Acme Corp'\n"
      "  reinstate restore plan 1001 --at 2h\n"
      "  reinstate restore create 1001 --at 2h --wait");
}

void CommandTree::AddGlobalOptions() {
  const auto add = [&](const char* flag, std::string* value, const char* what) {
    return app_.add_option(flag, *value, what)->group(kGlobalGroup);
  };
  add("--address", &globals_.address, "Where the daemon is: host:port or unix:/path")
      ->envname("REINSTATE_ADDRESS")
      ->capture_default_str();
  add("-o,--output", &globals_.output, "What is written to stdout")
      ->check(CLI::IsMember({"table", "json", "csv"}))
      ->capture_default_str();
  add("--timeout", &globals_.timeout, "Limit of one call, e.g. 30s; waiting has none")
      ->type_name("TIME")
      ->capture_default_str();
  add("--actor", &globals_.actor, "Who asks, for the audit; default $USER@host")
      ->envname("REINSTATE_ACTOR");
  add("--tls-ca", &globals_.tls.ca, "Who vouches for the daemon (PEM); switches TLS on")
      ->envname("REINSTATE_TLS_CA")
      ->type_name("FILE");
  add("--tls-cert", &globals_.tls.certificate, "Our certificate (PEM)")
      ->envname("REINSTATE_TLS_CERT")
      ->type_name("FILE");
  add("--tls-key", &globals_.tls.key, "Its key (PEM)")
      ->envname("REINSTATE_TLS_KEY")
      ->type_name("FILE");
  add("--tls-server-name", &globals_.tls.server_name, "Expected in the daemon's certificate")
      ->envname("REINSTATE_TLS_SERVER_NAME");
  app_.add_flag("--no-color", globals_.no_color, "No colours; NO_COLOR does the same")
      ->group(kGlobalGroup);
}

CLI::App* CommandTree::AddNoun(const std::string& name, const std::string& summary) {
  CLI::App* noun = app_.add_subcommand(name, summary);
  noun->require_subcommand(0, 1);
  return noun;
}

CLI::App* CommandTree::AddCommand(CLI::App* parent, const CommandInfo& info, Action action) {
  CLI::App* command = parent->add_subcommand(info.name, info.summary);
  std::string footer = "Example:";
  for (const auto line : absl::StrSplit(info.example, '\n')) {
    absl::StrAppend(&footer, "\n  ", line);
  }
  command->footer(absl::StrCat(footer, "\n\nOptions of every command: reinstate --help"));
  actions_[command] = std::move(action);
  return command;
}

absl::StatusOr<CommandTree::Parsed> CommandTree::Parse(std::vector<std::string> words) {
  words = JoinNegativeTimes(words);
  std::reverse(words.begin(), words.end());  // as CLI11 wants them
  try {
    app_.parse(words);
  } catch (const CLI::CallForHelp&) {
    RETURN_IF_ERROR(CheckCommand());
    return Parsed{.action = nullptr, .text = app_.help()};  // of the command that was reached
  } catch (const CLI::ExtrasError&) {
    RETURN_IF_ERROR(CheckCommand());
    return UsageError(
        DeepestParsed(&app_),
        absl::StrCat("Not understood: ", absl::StrJoin(app_.remaining(/*recurse=*/true), " ")));
  } catch (const CLI::ParseError& error) {
    return UsageError(DeepestParsed(&app_), error.what());
  }
  return ParsedCommand();
}

absl::Status CommandTree::CheckCommand() const {
  const CLI::App* at = DeepestParsed(&app_);
  const std::vector<std::string> extras = app_.remaining(/*recurse=*/true);
  const bool is_unknown =
      !actions_.contains(at) && !extras.empty() && !absl::StartsWith(extras.front(), "-");
  return is_unknown ? UnknownCommand(at, extras.front()) : absl::OkStatus();
}

absl::StatusOr<CommandTree::Parsed> CommandTree::ParsedCommand() {
  const CLI::App* at = DeepestParsed(&app_);
  const auto action = actions_.find(at);
  if (action == actions_.end()) {
    return UnknownCommand(at, "");
  }
  globals_.output_given = app_.get_option("--output")->count() > 0;
  return Parsed{.action = &action->second, .text = ""};
}

void AddWaitOption(CLI::App* command, bool* wait) {
  command->add_flag("-w,--wait", *wait, "Wait until it has ended, with progress on stderr");
}

void AddStoreOption(CLI::App* command, std::string* store) {
  command->add_option("-s,--store", *store, "The store; may be left out if there is only one")
      ->type_name("NAME");
}

void AddConfirmOption(CLI::App* command, std::string* confirm, const std::string& what) {
  command->add_option("--confirm", *confirm, absl::StrCat("Confirms without being asked: ", what))
      ->type_name("ID");
}

}  // namespace reinstate

#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/session.h"

namespace reinstate {

// What a command does, once the command line was understood.
using Action = std::function<absl::Status(Session&)>;

// What a command says about itself.
struct CommandInfo {
  std::string name;
  std::string summary;
  std::string example;  // command lines that work, one a line; shown by --help
};

// The commands `reinstate NOUN VERB` with their options. Not thread-safe; used for one command
// line, as the options keep what was parsed.
class CommandTree {
 public:
  // The whole tree.
  CommandTree();
  ~CommandTree() = default;
  CommandTree(const CommandTree&) = delete;
  CommandTree& operator=(const CommandTree&) = delete;

  CLI::App* AddNoun(const std::string& name, const std::string& summary);

  // Adds a command below `parent`; the caller adds its options to what is returned.
  CLI::App* AddCommand(CLI::App* parent, const CommandInfo& info, Action action);
  CLI::App* AddCommand(const CommandInfo& info, Action action) {
    return AddCommand(&app_, info, std::move(action));
  }

  // What a command line asks for.
  struct Parsed {
    const Action* action = nullptr;  // null: only `text` is to be printed
    std::string text;                // help
  };

  // Parses the words after the program's name. INVALID_ARGUMENT with what is wrong and where help
  // is. To be called once.
  absl::StatusOr<Parsed> Parse(std::vector<std::string> words);

  const GlobalOptions& globals() const { return globals_; }

  // The tree itself, for completion and tests.
  const CLI::App& app() const { return app_; }

 private:
  void AddGlobalOptions();
  // INVALID_ARGUMENT if the first word that was not understood stands where a command should.
  absl::Status CheckCommand() const;
  absl::StatusOr<Parsed> ParsedCommand();

  CLI::App app_;
  GlobalOptions globals_;
  std::map<const CLI::App*, Action> actions_;
};

// Each adds a noun, or commands without one.
void AddStoreCommands(CommandTree* tree);
void AddSnapshotCommands(CommandTree* tree);
void AddJobCommands(CommandTree* tree);
void AddTenantCommands(CommandTree* tree);
void AddRestoreCommands(CommandTree* tree);
void AddRecordCommands(CommandTree* tree);
void AddProgramCommands(CommandTree* tree);

// The part of AddRestoreCommands that plans and begins restores and undos.
void AddRestoreBeginCommands(CommandTree* tree, CLI::App* noun);

// The part of AddTenantCommands that writes a tenant's rows.
void AddTenantExportCommand(CommandTree* tree, CLI::App* noun);

// The part of AddSnapshotCommands that takes dumps.
void AddSnapshotImportCommand(CommandTree* tree, CLI::App* noun);

// The part of AddStoreCommands that sets how fast restores write.
void AddStoreThrottleCommand(CommandTree* tree, CLI::App* noun);

// The option by which a command waits for the work that it began.
void AddWaitOption(CLI::App* command, bool* wait);
// The option that names a store.
void AddStoreOption(CLI::App* command, std::string* store);
// The option that consents to something that destroys.
void AddConfirmOption(CLI::App* command, std::string* confirm, const std::string& what);

}  // namespace reinstate

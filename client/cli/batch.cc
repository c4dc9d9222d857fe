#include "client/cli/batch.h"

#include "absl/strings/str_cat.h"
#include "client/cli/batch_commands.h"

namespace reinstate {

void AddBatchCommands(CommandTree* tree) {
  CLI::App* noun = tree->AddNoun("batch", "Batches: many tenants from one list");
  AddBatchResolveCommand(tree, noun);
  AddBatchCreateCommand(tree, noun);
  AddBatchReadingCommands(tree, noun);
  AddBatchControlCommands(tree, noun);
  AddBatchAddCommand(tree, noun);
  AddBatchUndoCommand(tree, noun);
}

void AddBatchId(CLI::App* command, std::string* batch) {
  command->add_option("BATCH", *batch, "The batch's id, bat-…")->required();
}

void AddConfirmCountOption(CLI::App* command, std::string* confirm, const std::string& what) {
  command->add_option("--confirm", *confirm, absl::StrCat("Confirms without being asked: ", what))
      ->type_name("COUNT");
}

}  // namespace reinstate

#include "client/cli/batch.h"

#include "client/cli/command_tree.h"

namespace reinstate {

void AddBatchCommands(CommandTree* tree) {
  tree->AddNoun("batch", "Batches: many tenants from one list");
}

}  // namespace reinstate

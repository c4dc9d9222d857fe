#pragma once

namespace reinstate {

class CommandTree;

// Adds the noun `batch` with its verbs. A verb is added by a function of its own file, which is
// called in batch.cc.
void AddBatchCommands(CommandTree* tree);

}  // namespace reinstate

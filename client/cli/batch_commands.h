#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "client/cli/command_tree.h"

namespace reinstate {

// Each adds verbs of `batch`, from a file of its own.
void AddBatchResolveCommand(CommandTree* tree, CLI::App* noun);
void AddBatchCreateCommand(CommandTree* tree, CLI::App* noun);
void AddBatchReadingCommands(CommandTree* tree, CLI::App* noun);
void AddBatchControlCommands(CommandTree* tree, CLI::App* noun);
void AddBatchAddCommand(CommandTree* tree, CLI::App* noun);
void AddBatchUndoCommand(CommandTree* tree, CLI::App* noun);

// An id of a batch, for the examples in help.
inline constexpr char kExampleBatch[] = "bat-01HF8Z3V9K2M4N6P8Q0R2S4T6V";

// The argument that names a batch.
void AddBatchId(CLI::App* command, std::string* batch);

// The option that consents by the number of customers.
void AddConfirmCountOption(CLI::App* command, std::string* confirm, const std::string& what);

}  // namespace reinstate

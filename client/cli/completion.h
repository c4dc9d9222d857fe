#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace reinstate {

// Scripts that complete nouns, verbs, options, and the values of options that have a fixed set; for
// `eval "$(reinstate completion bash)"` or a file that the shell reads. Made from the tree of
// commands, so that they cannot miss one.
std::string BashCompletion(const CLI::App& app);
std::string ZshCompletion(const CLI::App& app);

}  // namespace reinstate

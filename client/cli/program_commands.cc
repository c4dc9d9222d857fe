#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/command_tree.h"
#include "client/cli/completion.h"

namespace reinstate {

void AddProgramCommands(CommandTree* tree) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* completion =
      tree->AddCommand({"completion", "Writes the completion script of a shell",
                        "eval \"$(reinstate completion bash)\"\n"
                        "reinstate completion zsh > \"${fpath[1]}/_reinstate\""},
                       [shell, tree](Session& session) {
                         session.output().Text(*shell == "zsh" ? ZshCompletion(tree->app())
                                                               : BashCompletion(tree->app()));
                         return absl::OkStatus();
                       });
  completion->add_option("SHELL", *shell, "For which shell")
      ->check(CLI::IsMember({"bash", "zsh"}))
      ->required();

  tree->AddCommand(
      {"version", "Says which version of reinstate this is", "reinstate version"},
      [](Session& session) {
        const bool json = session.output().format() == OutputFormat::kJson;
        session.output().Text(json ? absl::StrCat(R"({"version": ")", REINSTATE_VERSION, "\"}\n")
                                   : absl::StrCat("reinstate ", REINSTATE_VERSION, "\n"));
        return absl::OkStatus();
      });
}

}  // namespace reinstate

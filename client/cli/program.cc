#include "client/cli/program.h"

#include <ostream>

#include "absl/strings/str_cat.h"
#include "client/cli/command_tree.h"
#include "client/cli/display_text.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

absl::Status Run(const std::vector<std::string>& words, const Console& console) {
  CommandTree tree;
  ASSIGN_OR_RETURN(const CommandTree::Parsed parsed, tree.Parse(words));
  if (parsed.action == nullptr) {
    *console.out << parsed.text;
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(Session session, Session::Create(tree.globals(), console));
  return (*parsed.action)(session);
}

}  // namespace

ExitCode RunProgram(const std::vector<std::string>& words, const Console& console) {
  absl::Status status = Run(words, console);
  console.out->flush();
  if (status.ok() && !console.out->good()) {
    status = MakeError(Reason::kNoSpace, "The output could not be written.");
  }
  if (!status.ok()) {
    console.Say(
        absl::StrCat("reinstate: ", Printable({status.message().data(), status.message().size()}),
                     " [", ReasonOf(status), "]"));
  }
  return ExitCodeOf(status);
}

}  // namespace reinstate

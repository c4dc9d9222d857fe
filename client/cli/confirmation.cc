#include "client/cli/confirmation.h"

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/cli/display_text.h"
#include "client/cli/exit_code.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

absl::Status Declined(const std::string& message) {
  return MakeErrorFromName(absl::StatusCode::kFailedPrecondition, kDeclinedReason, message);
}

}  // namespace

absl::Status Confirm(const Confirmation& confirmation, const Console& console) {
  const std::string& expected = confirmation.expected;
  for (const std::string& fact : confirmation.facts) {
    console.Say(fact);
  }
  if (!confirmation.given.empty()) {
    return confirmation.given == expected
               ? absl::OkStatus()
               : Declined(absl::StrCat("--confirm ", Printable(confirmation.given), " is not ",
                                       confirmation.name, ", ", Printable(expected),
                                       ". Nothing was done."));
  }
  if (!console.in_is_terminal) {
    return Declined(absl::StrCat(
        "This needs a confirmation and there is no terminal to ask on. Nothing was done. Add "
        "--confirm with ",
        confirmation.name, "."));
  }
  const std::optional<std::string> answer =
      console.Ask(absl::StrCat("Type ", confirmation.name, " to go on: "));
  if (answer.has_value() &&
      (*answer == expected || absl::StripAsciiWhitespace(*answer) == expected)) {
    return absl::OkStatus();
  }
  return Declined("Not confirmed. Nothing was done.");
}

}  // namespace reinstate

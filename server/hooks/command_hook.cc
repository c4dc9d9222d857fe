#include "server/hooks/command_hook.h"

#include <csignal>
#include <memory>

#include "absl/strings/str_cat.h"
#include "server/hooks/attempt_deadline.h"
#include "server/hooks/hook_process.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(10);
constexpr absl::Duration kGrace = absl::Seconds(2);

// Waits for the end of the command. HOOK_FAILED if it takes too long; the status of should_end.
absl::Status Await(const Hook& hook, const ShouldEnd& should_end, HookProcess* process) {
  const AttemptDeadline deadline(hook.timeout);
  while (!process->HasEnded()) {
    RETURN_IF_ERROR(should_end());
    if (deadline.HasPassed()) {
      return MakeError(Reason::kHookFailed,
                       absl::StrCat("did not end within ", absl::FormatDuration(hook.timeout),
                                    ", and was killed"));
    }
    process->ReadSome(kTick);
  }
  return absl::OkStatus();
}

void AskToEnd(HookProcess* process) {
  process->Signal(SIGTERM);
  const AttemptDeadline deadline(kGrace);
  while (!process->HasEnded() && !deadline.HasPassed()) {
    process->ReadSome(kTick);
  }
}

}  // namespace

absl::Status RunCommandHook(const Hook& hook, const std::string& event,
                            const ShouldEnd& should_end) {
  ASSIGN_OR_RETURN(const std::unique_ptr<HookProcess> process,
                   HookProcess::Start(hook.command, absl::StrCat(event, "\n")));
  absl::Status status = Await(hook, should_end, process.get());
  if (!status.ok()) {
    AskToEnd(process.get());
  }
  const absl::Status ending = process->Finish();
  if (status.ok()) {
    status = ending;
  }
  const std::string printed = process->output().Text();
  if (!HasReason(status, Reason::kHookFailed) || printed.empty()) {
    return status;
  }
  return MakeError(Reason::kHookFailed,
                   absl::StrCat(std::string(status.message()), "; it printed: ", printed));
}

}  // namespace reinstate

#include "client/cli/hook_views.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/api/client.h"
#include "client/cli/display_text.h"

namespace reinstate {
namespace {

bool HasFailed(const v1::HookOutcome& hook) { return hook.has_end_time() && !hook.succeeded(); }

bool WasBegunOnly(const v1::HookOutcome& hook) { return !hook.has_end_time(); }

std::string OutcomeText(const v1::Restore& restore, const v1::HookOutcome& hook) {
  if (WasBegunOnly(hook)) {
    return HasEnded(restore) ? "interrupted" : "running";
  }
  const std::string attempts =
      hook.attempts() == 1 ? "" : absl::StrCat(" at attempt ", hook.attempts());
  return hook.succeeded() ? absl::StrCat("succeeded", attempts)
                          : absl::StrCat("failed", attempts, ": ", Printable(hook.message()));
}

}  // namespace

Value HooksValue(const v1::Restore& restore) {
  const auto& hooks = restore.hooks();
  if (std::any_of(hooks.begin(), hooks.end(), HasFailed)) {
    const bool required = std::any_of(hooks.begin(), hooks.end(), [](const auto& hook) {
      return HasFailed(hook) && hook.required();
    });
    return TextValue("failed", required ? Style::kBad : Style::kWarning);
  }
  if (std::any_of(hooks.begin(), hooks.end(), WasBegunOnly)) {
    return HasEnded(restore) ? TextValue("interrupted", Style::kWarning) : TextValue("running");
  }
  if (restore.hooks_pending() && HasEnded(restore)) {
    return TextValue("pending");
  }
  return hooks.empty() ? TextValue("") : TextValue("succeeded", Style::kGood);
}

std::string HookLines(const v1::Restore& restore) {
  std::string lines;
  for (const v1::HookOutcome& hook : restore.hooks()) {
    absl::StrAppend(&lines, "  ", hook.after() ? "after   " : "before  ", Printable(hook.name()),
                    hook.required() ? " (required) " : " ", OutcomeText(restore, hook), "\n");
  }
  if (restore.hooks_pending() && HasEnded(restore)) {
    absl::StrAppend(&lines, "  Others are still to be run after it.\n");
  }
  return lines;
}

}  // namespace reinstate

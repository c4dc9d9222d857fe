#include "client/api/outcome.h"

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

absl::Status FromFailure(const v1::Failure& failure, const std::string& what) {
  if (failure.code() == 0) {
    return MakeError(Reason::kInternal,
                     absl::StrCat(what, " failed and the daemon does not say why."));
  }
  return MakeErrorFromName(static_cast<absl::StatusCode>(failure.code()), failure.reason(),
                           failure.message());
}

// What has become of the lines that are not `done`: "3 failed, 2 left out".
std::string RestText(const v1::BatchCounts& lines) {
  std::string text;
  const auto add = [&text](int64_t count, const char* what) {
    if (count > 0) {
      absl::StrAppend(&text, text.empty() ? "" : ", ", count, " ", what);
    }
  };
  add(lines.failed(), "failed");
  add(lines.in_doubt(), "in doubt");
  add(lines.cancelled(), "cancelled");
  add(lines.undone(), "undone since");
  add(lines.not_restored(), "left out");
  add(lines.queued() + lines.running(), "not ended");
  return text.empty() ? "" : absl::StrCat(" (", text, ")");
}

// What a line has become that has succeeded.
const char* SuccessWord(const v1::Batch& batch) {
  if (batch.dry_run()) {
    return "planned";
  }
  return batch.kind() == v1::RESTORE_KIND_UNDO ? "undone" : "restored";
}

// Of a restore that has succeeded.
absl::Status HooksOutcome(const v1::Restore& restore) {
  for (const v1::HookOutcome& hook : restore.hooks()) {
    if (hook.after() && hook.required() && !hook.succeeded()) {
      return MakeErrorFromName(
          absl::StatusCode::kUnknown, kPartlyFailedReason,
          absl::StrCat("The rows are back, but the hook ", hook.name(),
                       ", which is required after a restore, failed: at attempt ", hook.attempts(),
                       " it ", hook.message()));
    }
  }
  return absl::OkStatus();
}

absl::Status NotFinal(const std::string& what) {
  return MakeError(Reason::kUnavailable, absl::StrCat(what, " has not ended yet."));
}

}  // namespace

bool HasEnded(const v1::Restore& restore) {
  switch (restore.state()) {
    case v1::RESTORE_STATE_IN_DOUBT:
    case v1::RESTORE_STATE_SUCCEEDED:
    case v1::RESTORE_STATE_FAILED:
    case v1::RESTORE_STATE_CANCELLED:
    case v1::RESTORE_STATE_UNDONE:
      return true;
    default:
      return false;
  }
}

bool IsFinal(const v1::Restore& restore) {
  // No hook follows a doubt before it is resolved.
  return HasEnded(restore) &&
         (restore.state() == v1::RESTORE_STATE_IN_DOUBT || !restore.hooks_pending());
}

bool IsFinal(const v1::Plan& plan) {
  return plan.state() == v1::PLAN_STATE_READY || plan.state() == v1::PLAN_STATE_FAILED;
}

bool IsFinal(const v1::Job& job) {
  return job.state() == v1::JOB_STATE_SUCCEEDED || job.state() == v1::JOB_STATE_FAILED ||
         job.state() == v1::JOB_STATE_CANCELLED;
}

absl::Status OutcomeOf(const v1::Restore& restore) {
  const std::string what = absl::StrCat("The restore ", restore.id());
  switch (restore.state()) {
    case v1::RESTORE_STATE_SUCCEEDED:
      return HooksOutcome(restore);
    case v1::RESTORE_STATE_UNDONE:
      return absl::OkStatus();
    case v1::RESTORE_STATE_FAILED:
      return FromFailure(restore.failure(), what);
    case v1::RESTORE_STATE_CANCELLED:
      return MakeError(Reason::kCancelled,
                       absl::StrCat(what, " was cancelled; the tenant is as it was."));
    case v1::RESTORE_STATE_IN_DOUBT:
      return MakeError(Reason::kTenantInDoubt,
                       absl::StrCat("It is not known whether ", restore.id(),
                                    " was committed: ", restore.failure().message()));
    default:
      return NotFinal(what);
  }
}

absl::Status OutcomeOf(const v1::Plan& plan) {
  const std::string what = absl::StrCat("The plan ", plan.id());
  switch (plan.state()) {
    case v1::PLAN_STATE_READY:
      return absl::OkStatus();
    case v1::PLAN_STATE_FAILED:
      return FromFailure(plan.failure(), what);
    default:
      return NotFinal(what);
  }
}

absl::Status OutcomeOf(const v1::Job& job) {
  const std::string what = absl::StrCat("The job ", job.id());
  switch (job.state()) {
    case v1::JOB_STATE_SUCCEEDED:
      return absl::OkStatus();
    case v1::JOB_STATE_FAILED:
      return FromFailure(job.failure(), what);
    case v1::JOB_STATE_CANCELLED:
      return MakeError(Reason::kCancelled,
                       absl::StrCat(what, " was cancelled; nothing came of it."));
    default:
      return NotFinal(what);
  }
}

bool IsFinal(const v1::Batch& batch) {
  switch (batch.state()) {
    case v1::BATCH_STATE_PLANNED:
    case v1::BATCH_STATE_SUCCEEDED:
    case v1::BATCH_STATE_PARTLY_FAILED:
    case v1::BATCH_STATE_CANCELLED:
      return true;
    default:
      return false;
  }
}

absl::Status OutcomeOf(const v1::Batch& batch) {
  if (!IsFinal(batch)) {
    return NotFinal(absl::StrCat("The batch ", batch.id()));
  }
  const v1::BatchCounts& lines = batch.lines();
  const int64_t done = lines.succeeded();
  if (done > 0 && done == lines.total()) {
    return absl::OkStatus();
  }
  return MakeErrorFromName(
      absl::StatusCode::kUnknown, done > 0 ? kPartlyFailedReason : kNoneSucceededReason,
      absl::StrCat(done, " of ", lines.total(), " lines of the batch ", batch.id(), " were ",
                   SuccessWord(batch), RestText(lines), "."));
}

}  // namespace reinstate

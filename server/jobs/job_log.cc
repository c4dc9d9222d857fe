#include "server/jobs/job_log.h"

#include <spdlog/spdlog.h>

#include "absl/strings/str_join.h"
#include "storage/base/error.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

constexpr size_t kMaxTextBytes = 1024;

spdlog::level::level_enum LevelOf(state::JobState state, bool needs_a_look) {
  if (state == state::FAILED) {
    return spdlog::level::err;
  }
  return needs_a_look ? spdlog::level::warn : spdlog::level::info;
}

std::string Why(const state::Failure& failure) {
  return failure.reason().empty()
             ? ""
             : failure.reason() + ": " + Printable(failure.message(), kMaxTextBytes);
}

}  // namespace

void LogEnded(const state::HistoryJob& job) {
  spdlog::log(LevelOf(job.state(), job.needs_a_look()),
              "job ended job={} kind={} store={} snapshot={} state={} scheduled={} {}{}", job.id(),
              state::JobKind_Name(job.kind()), job.store(), job.snapshot(),
              state::JobState_Name(job.state()), job.scheduled(), absl::StrJoin(job.notes(), " "),
              Why(job.failure()));
}

void LogEnded(const state::RestoreRecord& restore) {
  const state::RestoreOrder& order = restore.order();
  spdlog::log(LevelOf(restore.state(), restore.state() == state::IN_DOUBT),
              "restore ended restore={} store={} tenant={} snapshot={} undo_of={} state={} "
              "attempts={} {}",
              restore.id(), order.store(), Printable(order.tenant()), order.point().snapshot(),
              order.undo_of(), state::JobState_Name(restore.state()), restore.attempts(),
              Why(restore.failure()));
}

void LogWaits(const state::RestoreRecord& restore) {
  const state::RestoreOrder& order = restore.order();
  spdlog::info("restore waits for others of its batch restore={} batch={} store={} tenant={} {}",
               restore.id(), order.batch(), order.store(), Printable(order.tenant()),
               Why(restore.wait().cause()));
}

void LogHook(const std::string& restore, const state::HookOutcome& hook) {
  spdlog::log(hook.succeeded() ? spdlog::level::info : spdlog::level::warn,
              "hook ended restore={} hook={} when={} required={} succeeded={} attempts={} {}",
              restore, hook.name(), hook.after() ? "after" : "before", hook.required(),
              hook.succeeded(), hook.attempts(), Printable(hook.message(), kMaxTextBytes));
}

void LogNotOrdered(const state::HistoryJob& job, const absl::Status& why) {
  spdlog::error(
      "scheduled job not ordered, to be tried again within a minute kind={} store={} {}: {}",
      state::JobKind_Name(job.kind()), job.store(), ReasonOf(why),
      Printable({why.message().data(), why.message().size()}, kMaxTextBytes));
}

void LogInterrupted(const std::string& id, const absl::Status& why) {
  const auto level = HasReason(why, Reason::kShuttingDown)  ? spdlog::level::info
                     : HasReason(why, Reason::kUnavailable) ? spdlog::level::warn
                                                            : spdlog::level::err;
  spdlog::log(level, "job interrupted, to be run again job={} {}: {}", id, ReasonOf(why),
              Printable({why.message().data(), why.message().size()}, kMaxTextBytes));
}

}  // namespace reinstate

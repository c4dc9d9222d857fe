#include "server/jobs/batch_stepper.h"

#include <algorithm>

#include "spdlog/spdlog.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// After a step that failed, as the state or a store did not answer.
constexpr absl::Duration kRetry = absl::Seconds(1);
// How long the thread sleeps at most: the clock may be set.
constexpr absl::Duration kLongestSleep = absl::Seconds(1);

}  // namespace

BatchStepper::BatchStepper(const StoreRegistry* stores, const BatchDesk* desk)
    : desk_(desk), planning_(desk), shrink_check_(stores, desk), course_(desk) {}

BatchStepper::~BatchStepper() { Stop(); }

void BatchStepper::Start() {
  thread_ = std::thread([this] { Run(); });
}

void BatchStepper::Stop() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    changed_.SignalAll();
  }
  if (thread_.joinable()) {
    thread_.join();
  }
}

void BatchStepper::Wake(const std::string& batch) { WakeAt(batch, absl::InfinitePast()); }

void BatchStepper::WakeAt(const std::string& batch, absl::Time time) {
  MutexLock lock(&mu_);
  const auto [entry, added] = due_.emplace(batch, time);
  if (!added) {
    entry->second = std::min(entry->second, time);
  }
  changed_.SignalAll();
}

void BatchStepper::Run() {
  while (true) {
    std::string id;
    {
      MutexLock lock(&mu_);
      while (!stopping_ && id.empty()) {
        const absl::Time now = desk_->clock->Now();
        const auto next =
            std::min_element(due_.begin(), due_.end(),
                             [](const auto& a, const auto& b) { return a.second < b.second; });
        if (next == due_.end()) {
          changed_.Wait(&mu_);
        } else if (next->second <= now) {
          id = next->first;
          due_.erase(next);
        } else {
          changed_.WaitFor(&mu_, std::min(next->second - now, kLongestSleep));
        }
      }
      if (stopping_) {
        return;
      }
    }
    if (const absl::Status status = Step(id); !status.ok()) {
      spdlog::warn("batch held up batch={} reason={}: {}", id, ReasonOf(status),
                   std::string(status.message()));
      WakeAt(id, desk_->clock->Now() + kRetry);
    }
  }
}

absl::Status BatchStepper::StepPlanning(const std::string& id) {
  ASSIGN_OR_RETURN(const bool more, planning_.MakePlans(id));
  if (more) {
    Wake(id);
  }
  return planning_.End(id);
}

absl::Status BatchStepper::LookIfTheyShrink(const std::string& id) {
  ASSIGN_OR_RETURN(const absl::Time next, shrink_check_.Look(id));
  if (next != absl::InfiniteFuture()) {
    WakeAt(id, next);
  }
  return absl::OkStatus();
}

absl::Status BatchStepper::Step(const std::string& id) {
  RETURN_IF_ERROR(desk_->shelf->Load(id));
  ASSIGN_OR_RETURN(const state::BatchRecord batch, desk_->state->GetBatch(id));
  if (batch.state() != state::BATCH_CHECKING && batch.state() != state::BATCH_RUNNING) {
    shrink_check_.Forget(id);
  }
  switch (batch.state()) {
    case state::BATCH_PLANNING:
      return StepPlanning(id);
    case state::BATCH_CHECKING:
      return LookIfTheyShrink(id);
    case state::BATCH_RUNNING:
      RETURN_IF_ERROR(course_.BeginDue(id));
      RETURN_IF_ERROR(course_.RunBlocked(id));
      RETURN_IF_ERROR(course_.EndIfDone(id));
      return LookIfTheyShrink(id);  // the tenants of lines that were added
    case state::BATCH_CANCELLING:
      RETURN_IF_ERROR(course_.CancelRest(batch));
      RETURN_IF_ERROR(course_.LeaveDue(id));
      return course_.EndIfDone(id);
    // What commits ends also in these, and what waits may be cancelled by itself.
    case state::BATCH_PAUSED:
    case state::BATCH_WAITING_FOR_CONSENT:
      return course_.EndIfDone(id);
    // A doubt may be resolved, a restore undone.
    case state::BATCH_SUCCEEDED:
    case state::BATCH_PARTLY_FAILED:
      RETURN_IF_ERROR(course_.GoOnIfDue(batch));
      return course_.EndIfDone(id);
    case state::BATCH_CANCELLED:
      RETURN_IF_ERROR(course_.LeaveDue(id));
      return course_.EndIfDone(id);
    default:
      return absl::OkStatus();
  }
}

}  // namespace reinstate

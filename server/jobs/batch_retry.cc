#include "server/jobs/batch_retry.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

bool IsTriedAgain(const BatchBoard::Target& target) {
  return target.state == state::FAILED ||
         (target.state == state::CANCELLED && !target.cancelled_alone);
}

bool HaveHooksFailed(const BatchBoard::Target& target) {
  return target.state == state::SUCCEEDED && target.any_hook_failed;
}

}  // namespace

bool IsRetried(const BatchBoard::Line& line) {
  const auto any = [&](const auto& is_so) {
    return std::any_of(line.targets.begin(), line.targets.end(), is_so);
  };
  switch (line.state) {
    case BatchLineState::kFailed:
    case BatchLineState::kCancelled:
      return line.record.has_problem() || any(IsTriedAgain) || any(HaveHooksFailed);
    case BatchLineState::kSucceeded:
      return any(HaveHooksFailed);
    default:
      return false;
  }
}

std::vector<std::string> FailedHooksOf(const BatchBoard::Line& line) {
  std::vector<std::string> restores;
  for (size_t i = 0; i < line.targets.size(); ++i) {
    if (HaveHooksFailed(line.targets[i])) {
      restores.push_back(line.record.targets(static_cast<int>(i)).restore());
    }
  }
  return restores;
}

absl::Status AddRetry(const BatchDesk& desk, const BatchBoard::Line& line, BatchParts* parts) {
  state::BatchLine next = line.record;
  bool again = false;
  for (int i = 0; i < next.targets_size(); ++i) {
    if (!IsTriedAgain(line.targets[static_cast<size_t>(i)])) {
      continue;
    }
    state::BatchLine::Target* target = next.mutable_targets(i);
    ASSIGN_OR_RETURN(const state::RestoreRecord failed, desk.state->GetRestore(target->restore()));
    state::RestoreRecord restore;
    restore.set_id(desk.orders->NextRestoreId());
    *restore.mutable_order() = failed.order();
    restore.mutable_order()->set_priority(next.priority());
    restore.set_label(failed.label());
    restore.set_size_rows(failed.size_rows());
    restore.set_size_bytes(failed.size_bytes());
    target->add_earlier(target->restore());
    target->set_restore(restore.id());
    parts->restores.push_back(std::move(restore));
    again = true;
  }
  again = again || next.has_problem();
  next.clear_problem();  // what could not be begun is tried again as well
  if (again) {
    parts->lines.push_back(std::move(next));
  }
  return absl::OkStatus();
}

}  // namespace reinstate

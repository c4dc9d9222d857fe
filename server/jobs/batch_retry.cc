#include "server/jobs/batch_retry.h"

#include <cstddef>
#include <utility>

#include "storage/base/status_macros.h"

namespace reinstate {

absl::Status AddRetry(const BatchDesk& desk, const BatchBoard::Line& line, BatchParts* parts) {
  state::BatchLine next = line.record;
  bool again = false;
  for (int i = 0; i < next.targets_size(); ++i) {
    const state::JobState state = line.targets[static_cast<size_t>(i)].state;
    if (state != state::FAILED && state != state::CANCELLED) {
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
  if (again) {           // else a hook has failed after it: the rows are back
    parts->lines.push_back(std::move(next));
  }
  return absl::OkStatus();
}

}  // namespace reinstate

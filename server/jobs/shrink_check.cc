#include "server/jobs/shrink_check.h"

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {

absl::StatusOr<absl::Time> ShrinkCheck::Look(const std::string& id) {
  const auto before = seen_.find(id);
  const absl::Time now = desk_->clock->Now();
  if (before != seen_.end() && now < before->second.at + desk_->shrink_watch) {
    return before->second.at + desk_->shrink_watch;  // it was woken for something else
  }
  ASSIGN_OR_RETURN(const LiveRows rows, CountLiveRows(*stores_, desk_->shelf->Records(id)));
  if (before == seen_.end() && !rows.empty()) {
    seen_.emplace(id, Seen{now, rows});
    return now + desk_->shrink_watch;
  }
  // Who has no rows left cannot lose any.
  std::vector<std::string> shrunken;
  if (before != seen_.end()) {
    shrunken = ShrunkenSince(before->second.rows, rows);
    seen_.erase(before);
  }
  RETURN_IF_ERROR(End(id, shrunken));
  return absl::InfiniteFuture();
}

absl::Status ShrinkCheck::End(const std::string& id, const std::vector<std::string>& shrunken) {
  MutexLock lock(desk_->changing);
  if (!shrunken.empty()) {
    return ChangeBatchState(
        *desk_, id, state::BATCH_CHECKING, state::BATCH_WAITING_FOR_CONSENT,
        absl::StrCat(shrunken.size(), " of its tenants still lose rows, among them ",
                     Printable(shrunken.front()),
                     ": what deletes them may still be running. Stop it, then resume the batch."));
  }
  RETURN_IF_ERROR(ChangeBatchState(*desk_, id, state::BATCH_CHECKING, state::BATCH_RUNNING, ""));
  ASSIGN_OR_RETURN(const state::BatchRecord batch, desk_->state->GetBatch(id));
  if (batch.state() == state::BATCH_RUNNING) {
    std::vector<std::string> restores;
    for (const state::BatchLine& line : desk_->shelf->Records(id)) {
      for (const state::BatchLine::Target& target : line.targets()) {
        restores.push_back(target.restore());
      }
    }
    desk_->restores->Release(restores);
  }
  return absl::OkStatus();
}

}  // namespace reinstate

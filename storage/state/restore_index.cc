#include "storage/state/restore_index.h"

namespace reinstate {

bool HasEnded(state::JobState state) {
  switch (state) {
    case state::SUCCEEDED:
    case state::FAILED:
    case state::CANCELLED:
    case state::UNDONE:
      return true;
    default:
      return false;
  }
}

void RestoreIndex::Update(const state::RestoreRecord& record) {
  const StoreAndTenant tenant(record.order().store(), record.order().tenant());
  MutexLock lock(&mu_);
  if (HasEnded(record.state())) {
    unfinished_.erase(record.id());
  } else {
    unfinished_[record.id()] = record.order().undo_of();
  }
  if (HasEnded(record.state()) && record.hooks_pending()) {
    with_pending_hooks_.insert(record.id());
  } else {
    with_pending_hooks_.erase(record.id());
  }
  if (record.state() == state::IN_DOUBT) {
    in_doubt_[tenant] = record.id();
  } else if (const auto found = in_doubt_.find(tenant);
             found != in_doubt_.end() && found->second == record.id()) {
    in_doubt_.erase(found);
  }
}

std::vector<std::string> RestoreIndex::Unfinished() const {
  MutexLock lock(&mu_);
  std::vector<std::string> ids;
  ids.reserve(unfinished_.size());
  for (const auto& [id, undo_of] : unfinished_) {
    ids.push_back(id);
  }
  return ids;
}

std::vector<std::string> RestoreIndex::WithPendingHooks() const {
  MutexLock lock(&mu_);
  return {with_pending_hooks_.begin(), with_pending_hooks_.end()};
}

std::optional<std::string> RestoreIndex::InDoubt(const std::string& store,
                                                 const std::string& tenant) const {
  MutexLock lock(&mu_);
  const auto found = in_doubt_.find({store, tenant});
  return found == in_doubt_.end() ? std::nullopt : std::optional<std::string>(found->second);
}

std::optional<std::string> RestoreIndex::UndoUnderWay(const std::string& restore) const {
  MutexLock lock(&mu_);
  for (const auto& [id, undo_of] : unfinished_) {
    if (undo_of == restore) {
      return id;
    }
  }
  return std::nullopt;
}

}  // namespace reinstate

#include "server/rpc/live_cuts.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

using std::chrono::steady_clock;

// A lease is at least a second.
constexpr absl::Duration kExpiryInterval = absl::Milliseconds(250);

absl::Status NoSuchCut() {
  return MakeError(Reason::kSessionLost,
                   "there is no such cut, or nothing was heard of its client for its lease; take "
                   "the snapshot again");
}

}  // namespace

struct LiveCuts::Entry {
  std::unique_ptr<Cut> cut;
  absl::Duration lease;
  // Guarded by the mutex of LiveCuts.
  steady_clock::time_point last_heard;
  int working = 0;        // calls that are working on it right now
  bool given_up = false;  // closed or expired
};

Cut* LiveCuts::Use::cut() const { return entry_->cut.get(); }

LiveCuts::LiveCuts(size_t max_cuts)
    : max_cuts_(max_cuts), expiry_(kExpiryInterval, [this] { CloseExpired(); }) {}

LiveCuts::~LiveCuts() { CloseAll(); }

absl::Status LiveCuts::CheckRoom() {
  MutexLock lock(&mu_);
  return cuts_.size() < max_cuts_
             ? absl::OkStatus()
             : MakeError(Reason::kUnavailable,
                         absl::StrCat(max_cuts_, " cuts are open, the most that are allowed"));
}

absl::StatusOr<std::string> LiveCuts::Add(std::unique_ptr<Cut> cut, absl::Duration lease) {
  auto entry = std::make_shared<Entry>();
  entry->cut = std::move(cut);
  entry->lease = lease;
  entry->last_heard = steady_clock::now();
  RETURN_IF_ERROR(CheckRoom());
  std::string name = ids_.Next("cut");
  MutexLock lock(&mu_);
  cuts_.emplace(name, std::move(entry));
  return name;
}

absl::StatusOr<LiveCuts::Use> LiveCuts::Find(const std::string& name) {
  MutexLock lock(&mu_);
  const auto found = cuts_.find(name);
  if (found == cuts_.end()) {
    return NoSuchCut();
  }
  found->second->last_heard = steady_clock::now();
  return Use(this, found->second);
}

absl::Status LiveCuts::BeginWork(Entry* entry) {
  MutexLock lock(&mu_);
  if (entry->given_up) {
    return NoSuchCut();
  }
  ++entry->working;
  return absl::OkStatus();
}

void LiveCuts::EndWork(Entry* entry) {
  MutexLock lock(&mu_);
  --entry->working;
  entry->last_heard = steady_clock::now();
}

void LiveCuts::Close(const std::string& name) {
  std::shared_ptr<Entry> closed;  // destroyed without the lock
  MutexLock lock(&mu_);
  if (const auto found = cuts_.find(name); found != cuts_.end()) {
    closed = std::move(found->second);
    closed->given_up = true;
    cuts_.erase(found);
  }
}

void LiveCuts::CloseAll() {
  std::map<std::string, std::shared_ptr<Entry>> closed;
  MutexLock lock(&mu_);
  closed.swap(cuts_);
  for (const auto& [name, entry] : closed) {
    entry->given_up = true;
  }
}

void LiveCuts::CloseExpired() {
  std::vector<std::shared_ptr<Entry>> closed;
  const auto now = steady_clock::now();
  MutexLock lock(&mu_);
  for (auto next = cuts_.begin(); next != cuts_.end();) {
    const auto place = next++;
    Entry& entry = *place->second;
    if (entry.working == 0 && absl::FromChrono(now - entry.last_heard) > entry.lease) {
      entry.given_up = true;
      closed.push_back(std::move(place->second));
      cuts_.erase(place);
    }
  }
}

}  // namespace reinstate

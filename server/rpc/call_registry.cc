#include "server/rpc/call_registry.h"

#include <vector>

#include "storage/base/error.h"

namespace reinstate {

absl::Status ShuttingDown() {
  return MakeError(Reason::kShuttingDown,
                   "The daemon is shutting down; jobs go on after its next start. Try again then.");
}

absl::Status CallRegistry::CheckOpen() const {
  MutexLock lock(&mu_);
  return draining_ ? ShuttingDown() : absl::OkStatus();
}

void CallRegistry::Add(const std::shared_ptr<OpenCall>& call) {
  bool drain = false;
  {
    MutexLock lock(&mu_);
    calls_.emplace(call.get(), call);
    drain = draining_;
  }
  if (drain) {
    call->Drain();
  }
}

void CallRegistry::Remove(const OpenCall* call) {
  MutexLock lock(&mu_);
  calls_.erase(call);
}

void CallRegistry::Drain() {
  std::vector<std::shared_ptr<OpenCall>> open;
  {
    MutexLock lock(&mu_);
    draining_ = true;
    for (const auto& [key, call] : calls_) {
      if (auto locked = call.lock(); locked != nullptr) {
        open.push_back(std::move(locked));
      }
    }
  }
  // Not under the lock: a call that ends removes itself.
  for (const auto& call : open) {
    call->Drain();
  }
}

}  // namespace reinstate

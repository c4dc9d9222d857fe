#pragma once

#include <map>
#include <memory>

#include "absl/status/status.h"
#include "storage/base/mutex.h"

namespace reinstate {

// A call that lives until somebody ends it: a stream. Thread-safe.
class OpenCall {
 public:
  virtual ~OpenCall() = default;

  // Ends the call as SHUTTING_DOWN, soon. May come at any time, also after it has ended.
  virtual void Drain() = 0;
};

// The open streams, so that a shutdown can end them all: gRPC's own waits for them. Thread-safe.
class CallRegistry {
 public:
  // SHUTTING_DOWN once Drain was called: the call is not to be begun.
  absl::Status CheckOpen() const;

  // Remembers `call` until Remove. One that is added after Drain is drained at once.
  void Add(const std::shared_ptr<OpenCall>& call);
  void Remove(const OpenCall* call);

  // Refuses new calls and ends the open streams.
  void Drain();

 private:
  mutable Mutex mu_;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  std::map<const OpenCall*, std::weak_ptr<OpenCall>> calls_ ABSL_GUARDED_BY(mu_);
};

// What a call is told that is refused or ended since the daemon stops.
absl::Status ShuttingDown();

}  // namespace reinstate

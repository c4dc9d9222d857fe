#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "storage/base/mutex.h"

namespace reinstate {

// Named places in the code at which tests can make something go wrong. A place without a fault
// costs one look-up.
//
// Thread-safe. Injected; a process that was not told otherwise has none armed.
class FaultPoints {
 public:
  // The exit code of a process that a fault point has ended.
  static constexpr int kCrashExitCode = 85;

  // What happens at a place: the returned status is what Hit returns.
  using Action = std::function<absl::Status()>;

  FaultPoints() = default;
  ~FaultPoints() = default;
  FaultPoints(const FaultPoints&) = delete;
  FaultPoints& operator=(const FaultPoints&) = delete;

  // Parses "place=action[@n]" items separated by commas and arms them. `action` is `crash` (ends
  // the process at once, as kill -9 would, with kCrashExitCode), `error` (UNAVAILABLE), `no-space`
  // (RESOURCE_EXHAUSTED), `hang` (waits for ever, so that a test can kill the process there; the
  // place is printed to stderr first), `slow` (goes on after a second) or `trace` (prints the place
  // to stderr and goes on). `n` is the hit at which it acts, from 1 (the default), and at no other;
  // `slow` and `trace` act from that hit on.
  // INVALID_ARGUMENT if the text is malformed; nothing is armed then.
  absl::Status ArmFromText(std::string_view text);

  // Runs `action` at every hit of `place` from now on. Replaces an earlier action.
  void Arm(std::string_view place, Action action);

  void Disarm(std::string_view place);

  // To be called where execution passes `place`. OK if nothing is armed there.
  absl::Status Hit(std::string_view place);

 private:
  std::atomic<bool> any_ = false;  // whether something has been armed
  Mutex mu_;
  std::map<std::string, Action, std::less<>> actions_ ABSL_GUARDED_BY(mu_);
};

}  // namespace reinstate

#include "storage/base/clock.h"

#include "absl/time/clock.h"

namespace reinstate {
namespace {

class SystemClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

}  // namespace

const Clock* Clock::System() {
  static const SystemClock kClock;
  return &kClock;
}

}  // namespace reinstate

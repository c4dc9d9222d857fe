#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "storage/base/clock.h"
#include "storage/base/mutex.h"

namespace reinstate {

// Makes ids that sort bytewise by the time of their making: 48 bits of milliseconds and 80 random
// bits in Crockford's base 32 (the ULID format, github.com/ulid/spec).
//
// Thread-safe. Ids of one generator ascend strictly, also within a millisecond and when the clock
// steps back; across processes they do as far as the clock does.
class IdGenerator {
 public:
  // `random` gives 64 random bits a call; the operating system's if null.
  explicit IdGenerator(const Clock* clock = Clock::System(),
                       std::function<uint64_t()> random = nullptr);

  // e.g. Next("rst") gives "rst-01JD9Z7C3MWPE7Q0V4K8T2XBNA".
  std::string Next(std::string_view prefix);

 private:
  const Clock* const clock_;
  const std::function<uint64_t()> random_;
  Mutex mu_;
  uint64_t last_ms_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t high_ ABSL_GUARDED_BY(mu_) = 0;  // 16 of the random bits
  uint64_t low_ ABSL_GUARDED_BY(mu_) = 0;   // the other 64
};

}  // namespace reinstate

// What people give as --at: any text is a time or refused, never an endless one.

#include <cstdint>
#include <string_view>

#include "server/restore/point_resolver.h"
#include "storage/base/error.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using reinstate::Require;
  const absl::Time now = absl::FromUnixSeconds(1'775'000'000);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<absl::Time> time = reinstate::ParsePointTime(text, now);
  if (time.ok()) {
    Require(*time > absl::InfinitePast() && *time < absl::InfiniteFuture(), "a point is finite");
  } else {
    Require(reinstate::ReasonOf(time.status()).starts_with("POINT_"), "the point is refused");
  }
  return 0;
}

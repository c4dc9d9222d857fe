#pragma once

#include <gmock/gmock.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/error.h"

namespace reinstate {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

// For a Status or StatusOr: it is OK.
MATCHER(IsOk, "is OK") {
  *result_listener << "which is " << StatusOf(arg).ToString();
  return StatusOf(arg).ok();
}

// For a Status or StatusOr: it carries `reason`.
MATCHER_P(FailsWith, reason, "fails with the reason " + std::string(ReasonName(reason))) {
  *result_listener << "which is " << StatusOf(arg).ToString() << " with the reason "
                   << ReasonOf(StatusOf(arg));
  return HasReason(StatusOf(arg), reason);
}

}  // namespace reinstate

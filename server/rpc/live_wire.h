#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reinstate/v1/common.pb.h"
#include "reinstate/v1/live_store_service.pb.h"
#include "storage/base/status_macros.h"
#include "storage/live/tenant_session.h"

// Parts that the calls of LiveStoreService share.

namespace reinstate {

// A message of rows is sent once it has this much. A part of a payload is at most kLivePartBytes,
// so that no message of rows exceeds a megabyte.
inline constexpr size_t kLiveBatchBytes = 256 << 10;
inline constexpr size_t kLivePartBytes = 512 << 10;

// Of who asks for none.
inline constexpr absl::Duration kDefaultSessionLease = absl::Seconds(15);
inline constexpr absl::Duration kDefaultCutLease = absl::Seconds(30);

// What a request of a session failed with.
v1::Failure FailureToWire(const absl::Status& status);

v1::KeyOwner OwnerToWire(KeyOwner owner);
v1::SessionObstacle ObstacleToWire(const Obstacle& obstacle);
v1::CommitOutcome OutcomeToWire(CommitOutcome outcome);

// INVALID_ARGUMENT if it is not a kind of change.
absl::StatusOr<ChangeKind> KindFromWire(v1::ChangeKind kind);

// INVALID_ARGUMENT if `wire` is negative or malformed. At most a day.
absl::StatusOr<absl::Duration> DurationFromWire(std::string_view field,
                                                const google::protobuf::Duration& wire);

// The lease that `request`, which has a field `lease`, is given: what is out of 1 s to 10 min is
// moved to there, and `when_absent` if it asks for none. INVALID_ARGUMENT.
template <typename Request>
absl::StatusOr<absl::Duration> GrantLease(const Request& request, absl::Duration when_absent) {
  if (!request.has_lease()) {
    return when_absent;
  }
  ASSIGN_OR_RETURN(const absl::Duration asked, DurationFromWire("lease", request.lease()));
  return std::clamp(asked, absl::Seconds(1), absl::Minutes(10));
}

void DurationToWire(absl::Duration duration, google::protobuf::Duration* wire);

// Cuts the payloads of rows into parts. Not thread-safe.
class RowSplitter {
 public:
  // Whether there is a part to be sent of `record`.
  bool has_part() const { return has_part_; }

  // The next record is in `record`; nothing of it was sent.
  void Begin() {
    has_part_ = true;
    sent_ = 0;
  }

  // Whether the next part is the record's first, which has its key.
  bool is_first() const { return sent_ == 0; }

  // Moves the next part of `*payload` into `*part`. Returns whether there are more.
  bool Take(std::string* payload, std::string* part);

 private:
  bool has_part_ = false;
  size_t sent_ = 0;
};

}  // namespace reinstate

#include "server/rpc/live_wire.h"

#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <utility>

#include "server/rpc/request_checks.h"
#include "storage/base/error.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

using google::protobuf::util::TimeUtil;

constexpr size_t kMaxMessageBytes = 1024;

}  // namespace

v1::Failure FailureToWire(const absl::Status& status) {
  const auto reasons = AllReasons();
  const auto found = std::find_if(reasons.begin(), reasons.end(), [&](const ReasonInfo& info) {
    return info.name == ReasonOf(status);
  });
  const ReasonInfo& info =
      found != reasons.end() ? *found : reasons[static_cast<size_t>(Reason::kInternal)];
  v1::Failure failure;
  failure.set_reason(std::string(info.name));
  failure.set_code(static_cast<int>(info.code));
  failure.set_message(
      Printable({status.message().data(), status.message().size()}, kMaxMessageBytes));
  failure.set_retryable(info.code == absl::StatusCode::kUnavailable ||
                        info.code == absl::StatusCode::kAborted);
  return failure;
}

v1::KeyOwner OwnerToWire(KeyOwner owner) {
  switch (owner) {
    case KeyOwner::kNobody:
      return v1::KEY_OWNER_NOBODY;
    case KeyOwner::kThisTenant:
      return v1::KEY_OWNER_THIS_TENANT;
    case KeyOwner::kOtherTenant:
      return v1::KEY_OWNER_OTHER_TENANT;
  }
  return v1::KEY_OWNER_UNSPECIFIED;
}

v1::SessionObstacle ObstacleToWire(const Obstacle& obstacle) {
  v1::SessionObstacle wire;
  wire.set_change(static_cast<uint32_t>(obstacle.change));
  if (obstacle.kind == ObstacleKind::kNoPartition) {
    wire.set_kind(v1::OBSTACLE_KIND_NO_PARTITION);
    return wire;
  }
  wire.set_kind(v1::OBSTACLE_KIND_VALUE_TAKEN);
  wire.set_constraint(obstacle.constraint);
  wire.set_owner(OwnerToWire(obstacle.owner));
  if (obstacle.key.has_value()) {
    wire.set_key(obstacle.key->bytes());
  }
  return wire;
}

v1::CommitOutcome OutcomeToWire(CommitOutcome outcome) {
  switch (outcome) {
    case CommitOutcome::kCommitted:
      return v1::COMMIT_OUTCOME_COMMITTED;
    case CommitOutcome::kNotCommitted:
      return v1::COMMIT_OUTCOME_NOT_COMMITTED;
    case CommitOutcome::kNotKnown:
      return v1::COMMIT_OUTCOME_NOT_KNOWN;
  }
  return v1::COMMIT_OUTCOME_UNSPECIFIED;
}

absl::StatusOr<ChangeKind> KindFromWire(v1::ChangeKind kind) {
  switch (kind) {
    case v1::CHANGE_KIND_DELETE:
      return ChangeKind::kDelete;
    case v1::CHANGE_KIND_REPLACE:
      return ChangeKind::kReplace;
    case v1::CHANGE_KIND_INSERT:
      return ChangeKind::kInsert;
    default:
      return FieldError("apply.changes.kind", "is no kind of change.");
  }
}

absl::StatusOr<absl::Duration> DurationFromWire(std::string_view field,
                                                const google::protobuf::Duration& wire) {
  if (wire.seconds() < 0 || wire.nanos() < 0 || wire.nanos() > 999'999'999) {
    return FieldError(field, "is negative or malformed.");
  }
  return absl::Seconds(std::min<int64_t>(wire.seconds(), 86'400)) + absl::Nanoseconds(wire.nanos());
}

void DurationToWire(absl::Duration duration, google::protobuf::Duration* wire) {
  *wire = TimeUtil::NanosecondsToDuration(absl::ToInt64Nanoseconds(duration));
}

bool RowSplitter::Take(std::string* payload, std::string* part) {
  if (sent_ == 0 && payload->size() <= kLivePartBytes) {
    *part = std::move(*payload);
    has_part_ = false;
  } else {
    *part = payload->substr(sent_, kLivePartBytes);
    sent_ += part->size();
    has_part_ = sent_ < payload->size();
  }
  return has_part_;
}

}  // namespace reinstate

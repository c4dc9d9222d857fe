#include "storage/live/remote/wire_status.h"

#include <grpcpp/support/status.h>

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "storage/base/error.h"
#include "storage/base/strings.h"
#include "storage/model/tenant_id.h"

namespace reinstate::live_wire {
namespace {

constexpr size_t kMaxMessageBytes = 1024;
constexpr char kDomain[] = "reinstate";

std::optional<Reason> KnownReason(const std::string& name, int code) {
  const auto reasons = AllReasons();
  const auto found = std::find_if(reasons.begin(), reasons.end(), [&](const ReasonInfo& info) {
    return info.name == name && static_cast<int>(info.code) == code;
  });
  return found == reasons.end() ? std::nullopt : std::optional(found->reason);
}

std::optional<Reason> ReasonInDetails(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) {
    return std::nullopt;
  }
  for (const google::protobuf::Any& detail : details.details()) {
    google::rpc::ErrorInfo info;
    if (detail.UnpackTo(&info) && info.domain() == kDomain) {
      return KnownReason(info.reason(), status.error_code());
    }
  }
  return std::nullopt;
}

Reason ReasonOfTransport(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
      return Reason::kInvalidArgument;
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
      return Reason::kNotAllowed;
    case grpc::StatusCode::UNIMPLEMENTED:
      return Reason::kUnsupported;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return Reason::kTooLarge;
    case grpc::StatusCode::DATA_LOSS:
      return Reason::kCorrupt;
    default:
      return Reason::kUnavailable;
  }
}

std::string MessageFor(const std::string& message) {
  return message.empty() ? "the store's server gave no reason"
                         : Printable(message, kMaxMessageBytes);
}

}  // namespace

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) {
    return absl::OkStatus();
  }
  Reason reason = ReasonInDetails(status).value_or(ReasonOfTransport(status.error_code()));
  if (reason == Reason::kShuttingDown) {
    reason = Reason::kUnavailable;
  }
  return MakeError(reason, MessageFor(status.error_message()));
}

absl::Status FromFailure(const v1::Failure& failure) {
  const std::optional<Reason> reason = KnownReason(failure.reason(), failure.code());
  if (!reason.has_value()) {
    return ProtocolBroken(absl::StrCat("it names a failure that is unknown: ",
                                       Printable(failure.reason()), ", code ", failure.code()));
  }
  return MakeError(*reason, MessageFor(failure.message()));
}

absl::Status ProtocolBroken(std::string_view what) {
  return MakeError(
      Reason::kInternal,
      absl::StrCat("the server of the store breaks the adapter protocol: ", Absl(what)));
}

}  // namespace reinstate::live_wire

#include "client/api/status_from_wire.h"

#include <grpcpp/support/status.h>

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

// What the details of a failed call say.
struct Details {
  std::string reason;      // empty without ErrorInfo
  std::string violations;  // "field: what is wrong" of each wrong field
  std::string step;        // where it failed, if it says so
};

std::string ViolationsOf(const google::rpc::BadRequest& bad_request) {
  std::string text;
  for (const auto& violation : bad_request.field_violations()) {
    absl::StrAppend(&text, text.empty() ? "" : "; ", violation.field(), ": ",
                    violation.description());
  }
  return text;
}

Details DetailsOf(const grpc::Status& status) {
  Details details;
  google::rpc::Status wire;
  if (status.error_details().empty() || !wire.ParseFromString(status.error_details())) {
    return details;
  }
  for (const google::protobuf::Any& any : wire.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad_request;
    if (any.UnpackTo(&info)) {
      details.reason = info.reason();
      const auto step = info.metadata().find("step");
      details.step = step == info.metadata().end() ? "" : step->second;
    } else if (any.UnpackTo(&bad_request)) {
      details.violations = ViolationsOf(bad_request);
    }
  }
  return details;
}

}  // namespace

absl::Status StatusFromWire(const grpc::Status& status) {
  if (status.ok()) {
    return absl::OkStatus();
  }
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  const Details details = DetailsOf(status);
  std::string message = status.error_message();
  if (!details.violations.empty() && message.find(details.violations) == std::string::npos) {
    absl::StrAppend(&message, " (", details.violations, ")");
  }
  if (code == absl::StatusCode::kResourceExhausted && details.reason.empty()) {
    // By gRPC itself, before the daemon could see the call.
    return MakeError(Reason::kTooLarge, absl::StrCat("That is more than is taken in one call (",
                                                     message, "). Make several of it."));
  }
  return MakeErrorFromName(
      code, details.reason.empty() ? absl::StatusCodeToString(code) : details.reason, message);
}

bool IsLostCall(const grpc::Status& status) {
  const std::string reason = DetailsOf(status).reason;
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return reason.empty() || reason == ReasonName(Reason::kShuttingDown);
    case grpc::StatusCode::CANCELLED:
      // By gRPC itself: the call came when the server no longer took any.
      return reason.empty();
    default:
      return false;
  }
}

bool IsOverdueCall(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED &&
         DetailsOf(status).reason.empty();
}

bool IsRefusedCall(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE &&
         DetailsOf(status).step == "admission";
}

}  // namespace reinstate

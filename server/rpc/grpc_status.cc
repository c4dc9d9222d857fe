#include "server/rpc/grpc_status.h"

#include <grpcpp/support/status.h>

#include <algorithm>
#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/rpc/request_checks.h"
#include "storage/base/error.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

constexpr size_t kMaxMessageBytes = 1024;
constexpr char kDomain[] = "reinstate";
constexpr char kRefusedPayload[] = "reinstate.refused_call";

// A status that came from a library carries no reason of ours: it is named after its code where the
// table has such a reason, and is otherwise something that nobody foresaw.
ReasonInfo KnownReason(const absl::Status& status) {
  const std::string name = ReasonOf(status);
  const auto reasons = AllReasons();
  const auto found = std::find_if(reasons.begin(), reasons.end(),
                                  [&](const ReasonInfo& info) { return info.name == name; });
  return found != reasons.end() ? *found : reasons[static_cast<size_t>(Reason::kInternal)];
}

int RetryDelaySeconds(Reason reason) {
  switch (reason) {
    case Reason::kUnavailable:
      return 1;
    case Reason::kTenantBusy:
    case Reason::kShuttingDown:
      return 5;
    default:
      return 0;
  }
}

google::rpc::Status Details(const ReasonInfo& info, const std::string& message,
                            const absl::Status& status) {
  google::rpc::Status details;
  details.set_code(static_cast<int>(info.code));
  details.set_message(message);

  google::rpc::ErrorInfo error_info;
  error_info.set_reason(std::string(info.name));
  error_info.set_domain(kDomain);
  if (status.GetPayload(kRefusedPayload).has_value()) {
    (*error_info.mutable_metadata())["step"] = "admission";
  }
  details.add_details()->PackFrom(error_info);

  if (const std::string field = FieldOf(status); !field.empty()) {
    google::rpc::BadRequest bad_request;
    auto* violation = bad_request.add_field_violations();
    violation->set_field(field);
    violation->set_description(message);
    details.add_details()->PackFrom(bad_request);
  }
  if (const int seconds = RetryDelaySeconds(info.reason); seconds > 0) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(seconds);
    details.add_details()->PackFrom(retry);
  }
  return details;
}

}  // namespace

absl::Status RefusedCall(absl::Status status) {
  status.SetPayload(kRefusedPayload, absl::Cord("1"));
  return status;
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) {
    return grpc::Status::OK;
  }
  const ReasonInfo info = KnownReason(status);
  const std::string message =
      Printable({status.message().data(), status.message().size()}, kMaxMessageBytes);
  return grpc::Status(static_cast<grpc::StatusCode>(info.code), message,
                      Details(info, message, status).SerializeAsString());
}

}  // namespace reinstate

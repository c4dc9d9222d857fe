#include "client/api/status_from_wire.h"

#include <grpcpp/support/status.h>

#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "storage/base/error.h"
#include "tests/unit/client/fake_daemon.h"

namespace reinstate {
namespace {

TEST(StatusFromWire, KeepsCodeMessageAndReasonOfEveryError) {
  for (const ReasonInfo& info : AllReasons()) {
    const absl::Status status = StatusFromWire(WireError(info.reason, "What to do."));
    EXPECT_EQ(status.code(), info.code) << info.name;
    EXPECT_EQ(ReasonOf(status), info.name);
    EXPECT_EQ(status.message(), "What to do.");
  }
}

TEST(StatusFromWire, NamesTheCodeWhereThereIsNoErrorInfo) {
  const absl::Status status =
      StatusFromWire({grpc::StatusCode::UNAUTHENTICATED, "who are you?", "no details"});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(ReasonOf(status), "UNAUTHENTICATED");
}

TEST(StatusFromWire, SaysThatAMessageThatGrpcItselfRefusedIsTooLarge) {
  const absl::Status status = StatusFromWire(
      {grpc::StatusCode::RESOURCE_EXHAUSTED, "Received message larger than max (9 vs. 8)"});
  EXPECT_EQ(ReasonOf(status), "TOO_LARGE");
  EXPECT_EQ(status.message(),
            "That is more than is taken in one call (Received message larger than max (9 vs. 8)). "
            "Make several of it.");
}

TEST(StatusFromWire, SaysWhichFieldsAreWrong) {
  google::rpc::BadRequest bad_request;
  auto* violation = bad_request.add_field_violations();
  violation->set_field("spec.at");
  violation->set_description("is empty");
  google::rpc::Status details;
  details.add_details()->PackFrom(bad_request);
  const absl::Status status = StatusFromWire(
      {grpc::StatusCode::INVALID_ARGUMENT, "Not like this.", details.SerializeAsString()});
  EXPECT_EQ(status.message(), "Not like this. (spec.at: is empty)");
}

TEST(StatusFromWire, KeepsOkAsItIs) { EXPECT_TRUE(StatusFromWire(grpc::Status::OK).ok()); }

TEST(IsLostCall, TellsALostConnectionFromAStoreThatDoesNotAnswer) {
  EXPECT_TRUE(IsLostCall({grpc::StatusCode::UNAVAILABLE, "Connection reset by peer"}));
  EXPECT_TRUE(IsLostCall(WireError(Reason::kShuttingDown, "The daemon ends.")));
  EXPECT_FALSE(IsLostCall(WireError(Reason::kUnavailable, "The store main does not answer.")));
  EXPECT_TRUE(IsLostCall({grpc::StatusCode::CANCELLED, "CANCELLED"}));
  EXPECT_FALSE(IsLostCall(WireError(Reason::kCancelled, "Somebody has cancelled it.")));
  EXPECT_FALSE(IsLostCall({grpc::StatusCode::DEADLINE_EXCEEDED, "too late"}));
  EXPECT_FALSE(IsLostCall(grpc::Status::OK));
}

}  // namespace
}  // namespace reinstate

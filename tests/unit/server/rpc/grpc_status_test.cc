#include "server/rpc/grpc_status.h"

#include <gtest/gtest.h>

#include <string>

#include "client/api/status_from_wire.h"
#include "server/rpc/request_checks.h"
#include "storage/base/error.h"
#include "storage/model/tenant_id.h"
#include "tests/unit/server/rpc/rpc_site.h"

namespace reinstate {
namespace {

TEST(ToGrpcStatus, CarriesCodeReasonDomainAndSentenceOfEveryReason) {
  for (const ReasonInfo& info : AllReasons()) {
    const WireError error = ReadError(ToGrpcStatus(MakeError(info.reason, "What to do.")));
    EXPECT_EQ(static_cast<int>(error.code), static_cast<int>(info.code)) << info.name;
    EXPECT_EQ(error.reason, info.name);
    EXPECT_EQ(error.domain, "reinstate");
    EXPECT_EQ(error.message, "What to do.");
  }
}

TEST(ToGrpcStatus, OfOkIsOkWithoutDetails) {
  const grpc::Status status = ToGrpcStatus(absl::OkStatus());
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.error_details(), "");
}

TEST(ToGrpcStatus, NamesAForeignStatusAfterItsCodeWhereThereIsSuchAReason) {
  EXPECT_EQ(ReasonOf(ToGrpcStatus(absl::CancelledError("x"))), "CANCELLED");
  const WireError foreign = ReadError(ToGrpcStatus(absl::NotFoundError("x")));
  EXPECT_EQ(foreign.reason, "INTERNAL");
  EXPECT_EQ(foreign.code, grpc::StatusCode::INTERNAL);
}

TEST(ToGrpcStatus, NamesTheFieldThatIsWrong) {
  const WireError error = ReadError(ToGrpcStatus(FieldError("spec.at", "is required.")));
  EXPECT_EQ(error.reason, "INVALID_ARGUMENT");
  EXPECT_EQ(error.field, "spec.at");
  EXPECT_EQ(error.message, "spec.at: is required.");
}

TEST(ToGrpcStatus, SaysWhenToTryAgainWhereThatHelps) {
  EXPECT_TRUE(ReadError(ToGrpcStatus(MakeError(Reason::kUnavailable, "x"))).retry);
  EXPECT_FALSE(ReadError(ToGrpcStatus(MakeError(Reason::kCorrupt, "x"))).retry);
}

TEST(ToGrpcStatus, TellsACallThatWasRefusedFromAStoreThatDoesNotAnswer) {
  const absl::Status status = MakeError(Reason::kUnavailable, "x");
  EXPECT_TRUE(IsRefusedCall(ToGrpcStatus(RefusedCall(status))));
  EXPECT_FALSE(IsRefusedCall(ToGrpcStatus(status)));
}

// HTTP/2 headers are limited to 8 KiB by default, and gRPC quotes what is not ASCII.
TEST(ToGrpcStatus, CutsLongMessagesAndMakesThemPrintable) {
  std::string hostile = "table \xFF\x01\n";
  for (int i = 0; i < 20'000; ++i) {
    hostile += "ä";
  }
  const grpc::Status status = ToGrpcStatus(MakeError(Reason::kTableNotFound, hostile));
  EXPECT_LT(status.error_message().size(), 1100);
  EXPECT_LT(status.error_details().size(), 1400);
  EXPECT_TRUE(IsUtf8(status.error_message()));
  EXPECT_EQ(status.error_message().find('\n'), std::string::npos);
}

}  // namespace
}  // namespace reinstate

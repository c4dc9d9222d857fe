#include "server/rpc/call_interceptor.h"

#include <google/protobuf/descriptor.h>
#include <grpcpp/support/server_interceptor.h>
#include <grpcpp/support/status.h>

#include <array>
#include <string>
#include <string_view>

#include "absl/time/clock.h"

namespace reinstate {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerRpcInfo;

// By number: https://grpc.github.io/grpc/core/md_doc_statuscodes.html
constexpr std::array<std::string_view, 17> kCodeNames = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

std::string NameOf(grpc::StatusCode code) {
  const auto number = static_cast<size_t>(code);
  return std::string(number < kCodeNames.size() ? kCodeNames[number] : "UNKNOWN");
}

// `method` as gRPC has it, "/package.Service/Method", without its slash; "other" if nobody serves
// it: whoever calls what there is not must not make names as he likes.
std::string NameOfMethod(std::string_view method) {
  method.remove_prefix(method.starts_with('/') ? 1 : 0);
  std::string name(method);
  // gRPC's own, whose descriptors are not in the pool.
  if (name == "grpc.health.v1.Health/Check" || name == "grpc.health.v1.Health/Watch") {
    return name;
  }
  const size_t slash = name.find('/');
  std::string in_pool = name;
  if (slash != std::string::npos) {
    in_pool[slash] = '.';
  }
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  const bool served = slash != std::string::npos && pool->FindMethodByName(in_pool) != nullptr;
  return served ? name : "other";
}

// Of one call; destroyed with it.
class CallInterceptor final : public grpc::experimental::Interceptor {
 public:
  CallInterceptor(CallObserver* observer, const ServerRpcInfo* info)
      : observer_(observer), info_(info), arrived_(absl::Now()) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      observer_->CallEnded({.method = NameOfMethod(info_->method()),
                            .code = NameOf(methods->GetSendStatus().error_code()),
                            .streaming = info_->type() != ServerRpcInfo::Type::UNARY,
                            .duration = absl::Now() - arrived_});
    }
    methods->Proceed();
  }

 private:
  CallObserver* const observer_;
  const ServerRpcInfo* const info_;
  const absl::Time arrived_;
};

class CallInterceptorFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit CallInterceptorFactory(CallObserver* observer) : observer_(observer) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    return new CallInterceptor(observer_, info);
  }

 private:
  CallObserver* const observer_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeCallInterceptor(
    CallObserver* observer) {
  return std::make_unique<CallInterceptorFactory>(observer);
}

}  // namespace reinstate

#include "server/rpc/rpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/server_interceptor.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/rpc/call.h"
#include "server/rpc/call_interceptor.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

// A little more than what is accepted, so that ordinary mistakes get our own error and not gRPC's.
constexpr int kMaxReceiveBytes = 2 * static_cast<int>(kMaxRequestBytes);
constexpr int kKeepaliveMs = 30'000;
constexpr int kMinPingIntervalMs = 10'000;

std::shared_ptr<grpc::ServerCredentials> Credentials(const RpcServerOptions& options) {
  if (options.certificate.empty()) {
    return grpc::InsecureServerCredentials();
  }
  grpc::SslServerCredentialsOptions ssl(
      options.client_ca.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  ssl.pem_root_certs = options.client_ca;
  ssl.pem_key_cert_pairs.push_back({options.key, options.certificate});
  return grpc::SslServerCredentials(ssl);
}

// `listen` with the port that it got.
std::string BoundAddress(const std::string& listen, int port) {
  return absl::StartsWith(listen, "unix:")
             ? listen
             : absl::StrCat(listen.substr(0, listen.rfind(':') + 1), port);
}

void SetLimits(grpc::ServerBuilder* builder) {
  builder->SetMaxReceiveMessageSize(kMaxReceiveBytes);
  // Otherwise a second daemon could listen on the same port and get half of the calls.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Clients that vanished without a word hold streams and sessions open for ever otherwise.
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              kMinPingIntervalMs);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(
    const RpcServerOptions& options, const std::vector<grpc::Service*>& services) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();

  std::unique_ptr<RpcServer> rpc(new RpcServer());
  grpc::ServerBuilder builder;
  SetLimits(&builder);
  const std::shared_ptr<grpc::ServerCredentials> credentials = Credentials(options);
  std::vector<int> ports(options.listen.size(), 0);
  for (size_t i = 0; i < options.listen.size(); ++i) {
    builder.AddListeningPort(options.listen[i], credentials, &ports[i]);
  }
  for (grpc::Service* service : services) {
    builder.RegisterService(service);
  }
  if (options.observer != nullptr) {
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
    creators.push_back(MakeCallInterceptor(options.observer));
    builder.experimental().SetInterceptorCreators(std::move(creators));
  }
  rpc->server_ = builder.BuildAndStart();
  for (size_t i = 0; i < options.listen.size(); ++i) {
    if (rpc->server_ == nullptr || ports[i] <= 0) {
      const bool tls = !options.certificate.empty();
      return MakeError(Reason::kUnavailable,
                       absl::StrCat("Cannot listen on ", absl::StrJoin(options.listen, ", "),
                                    ": the address is taken or is not of this machine",
                                    tls ? ", or certificate, key and CA do not fit." : ".",
                                    " Another daemon may run: stop it, or name another address "
                                    "with --listen here and --address for `reinstate`."));
    }
    rpc->addresses_.push_back(BoundAddress(options.listen[i], ports[i]));
  }
  return rpc;
}

RpcServer::~RpcServer() { Shutdown(absl::ZeroDuration()); }

void RpcServer::SetServing(bool serving) {
  if (grpc::HealthCheckServiceInterface* health = server_->GetHealthCheckService();
      health != nullptr) {
    health->SetServingStatus(serving);
  }
}

void RpcServer::Shutdown(absl::Duration timeout) {
  if (server_ != nullptr) {
    server_->Shutdown(absl::ToChronoTime(absl::Now() + timeout));
  }
}

}  // namespace reinstate

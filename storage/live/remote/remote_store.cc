#include "storage/live/remote/remote_store.h"

#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "reinstate/v1/live_store_service.grpc.pb.h"
#include "storage/base/error.h"
#include "storage/base/mutex.h"
#include "storage/base/periodic_thread.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/live/remote/remote_cut.h"
#include "storage/live/remote/remote_session.h"
#include "storage/live/remote/remote_tenant_counts.h"
#include "storage/live/remote/wire_limits.h"
#include "storage/live/remote/wire_status.h"
#include "storage/live/remote/wire_values.h"

namespace reinstate {
namespace {

using Stub = v1::LiveStoreService::Stub;

absl::Status ConfigError(std::string_view what) {
  return MakeError(Reason::kConfigInvalid, absl::StrCat("remote store: ", Absl(what)));
}

// It becomes a name by which it is counted, so it must look like one.
std::string PressureOf(const v1::ProbeHealthResponse& response) {
  const std::string& pressure = response.pressure();
  const bool is_name = pressure.size() <= live_wire::kMaxPressureBytes &&
                       std::all_of(pressure.begin(), pressure.end(),
                                   [](char c) { return c == '_' || absl::ascii_islower(c); });
  return is_name ? pressure : "other";
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file || text.empty()) {
    return ConfigError(absl::StrCat("\"", path, "\" cannot be read, or is empty"));
  }
  return text;
}

absl::Status CheckOptions(const RemoteStoreOptions& options) {
  if (options.address.empty()) {
    return ConfigError("the server's address is missing");
  }
  if (options.lease < absl::Seconds(1) || options.lease > absl::Minutes(10)) {
    return ConfigError("the lease must be from 1 s to 10 min");
  }
  if (options.call_timeout <= absl::ZeroDuration() || options.max_payload_bytes == 0) {
    return ConfigError("call timeout and payload limit must be positive");
  }
  if (options.certificate_file.empty() != options.key_file.empty()) {
    return ConfigError("certificate and key belong together");
  }
  if (options.ca_file.empty() && !options.key_file.empty()) {
    return ConfigError("a certificate needs the CA of the server as well");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeCredentials(
    const RemoteStoreOptions& options) {
  if (options.ca_file.empty()) {
    return grpc::InsecureChannelCredentials();
  }
  grpc::SslCredentialsOptions tls;
  ASSIGN_OR_RETURN(tls.pem_root_certs, ReadFile(options.ca_file));
  if (!options.key_file.empty()) {
    ASSIGN_OR_RETURN(tls.pem_cert_chain, ReadFile(options.certificate_file));
    ASSIGN_OR_RETURN(tls.pem_private_key, ReadFile(options.key_file));
  }
  return grpc::SslCredentials(tls);
}

grpc::ChannelArguments MakeArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(live_wire::kMaxMessageBytes);
  // A store that is back is to be found soon; the default is up to two minutes.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  // Each store has a connection of its own, which no other one's trouble touches.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return arguments;
}

}  // namespace

struct RemoteStore::Connection {
  explicit Connection(const std::shared_ptr<grpc::Channel>& channel)
      : stub(v1::LiveStoreService::NewStub(channel)) {}

  // Runs a call of which the request is no more than the name of the store. `should_end` ends it.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Ask(const RemoteStoreOptions& options,
                               grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                            Response*),
                               const ShouldEnd& should_end = nullptr) {
    Request request;
    request.set_store(options.store);
    return Ask(options, method, request, should_end);
  }

  template <typename Request, typename Response>
  absl::StatusOr<Response> Ask(const RemoteStoreOptions& options,
                               grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                            Response*),
                               const Request& request, const ShouldEnd& should_end = nullptr) {
    Response response;
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + options.call_timeout));
    const grpc::Status answered = RunUnless(
        should_end, &context, [&] { return (*stub.*method)(&context, request, &response); });
    if (!answered.ok()) {
      RETURN_IF_ERROR(AskShouldEnd(should_end));
    }
    RETURN_IF_ERROR(live_wire::FromGrpcStatus(answered));
    return response;
  }

  // Runs a call that is cancelled as `should_end` says.
  static grpc::Status RunUnless(const ShouldEnd& should_end, grpc::ClientContext* context,
                                const std::function<grpc::Status()>& call) {
    if (!should_end) {
      return call();
    }
    const PeriodicThread watch(kAskShouldEndEvery, [&] {
      if (!should_end().ok()) {
        context->TryCancel();
      }
    });
    return call();
  }

  const std::unique_ptr<Stub> stub;

  Mutex mu;
  std::optional<StoreCapabilities> capabilities ABSL_GUARDED_BY(mu);  // as the server said last
};

absl::StatusOr<std::unique_ptr<RemoteStore>> RemoteStore::Create(RemoteStoreOptions options) {
  RETURN_IF_ERROR(CheckOptions(options));
  ASSIGN_OR_RETURN(const auto credentials, MakeCredentials(options));
  auto connection = std::make_unique<Connection>(
      grpc::CreateCustomChannel(options.address, credentials, MakeArguments()));
  // No make_unique: the constructor is private.
  return std::unique_ptr<RemoteStore>(new RemoteStore(std::move(options), std::move(connection)));
}

RemoteStore::RemoteStore(RemoteStoreOptions options, std::unique_ptr<Connection> connection)
    : options_(std::move(options)), connection_(std::move(connection)) {}

RemoteStore::~RemoteStore() = default;

StoreCapabilities RemoteStore::Capabilities() const {
  const absl::StatusOr<v1::GetCapabilitiesResponse> response =
      connection_->Ask(options_, &Stub::GetCapabilities);
  MutexLock lock(&connection_->mu);
  if (response.ok()) {
    connection_->capabilities =
        StoreCapabilities{.resolves_tokens = response->resolves_tokens(),
                          .keys_span_tenants = response->keys_span_tenants()};
  }
  return connection_->capabilities.value_or(
      StoreCapabilities{.resolves_tokens = false, .keys_span_tenants = true});
}

absl::StatusOr<StoreIdentity> RemoteStore::IdentityUnless(const ShouldEnd& should_end) {
  ASSIGN_OR_RETURN(const v1::GetIdentityResponse response,
                   connection_->Ask(options_, &Stub::GetIdentity, should_end));
  if (response.id().empty()) {
    return live_wire::ProtocolBroken("the store has no identity");
  }
  return StoreIdentity{.id = response.id(), .address = Printable(response.address(), 1024)};
}

absl::StatusOr<TenantMap> RemoteStore::Catalog() {
  ASSIGN_OR_RETURN(const v1::GetCatalogResponse response,
                   connection_->Ask(options_, &Stub::GetCatalog));
  return live_wire::FromWire(response.catalog());
}

absl::StatusOr<std::unique_ptr<Cut>> RemoteStore::OpenCut(const CutOptions& options) {
  return RemoteCut::Open(connection_->stub.get(), options_, options);
}

absl::StatusOr<std::unique_ptr<TenantSession>> RemoteStore::OpenTenant(
    const TenantId& tenant, const SessionOptions& options) {
  return RemoteSession::Open(connection_->stub.get(), options_, tenant, options);
}

absl::StatusOr<SizeEstimate> RemoteStore::EstimateTenant(const TenantId& tenant) {
  v1::EstimateTenantRequest request;
  request.set_store(options_.store);
  request.set_tenant(tenant.value());
  ASSIGN_OR_RETURN(const v1::EstimateTenantResponse response,
                   connection_->Ask(options_, &Stub::EstimateTenant, request));
  if (response.estimate().rows() < 0 || response.estimate().bytes() < 0) {
    return live_wire::ProtocolBroken("the estimated size of a tenant is negative");
  }
  return SizeEstimate{.rows = response.estimate().rows(), .bytes = response.estimate().bytes()};
}

absl::StatusOr<std::unique_ptr<TenantCountStream>> RemoteStore::CountTenants() {
  return std::make_unique<RemoteTenantCounts>(connection_->stub.get(), options_);
}

absl::StatusOr<std::vector<int64_t>> RemoteStore::CountRowsOf(std::span<const TenantId> tenants) {
  std::unordered_map<std::string, int64_t> counted;  // 0: not yet
  for (const TenantId& tenant : tenants) {
    counted.emplace(tenant.value(), 0);
  }
  for (auto rest = tenants; !rest.empty();) {
    const auto some = rest.first(std::min(rest.size(), live_wire::kMaxCountedTenants));
    rest = rest.subspan(some.size());
    RemoteTenantCounts counts(connection_->stub.get(), options_, some);
    TenantCount count;
    while (true) {
      ASSIGN_OR_RETURN(const bool more, counts.Next(&count));
      if (!more) {
        break;
      }
      if (const auto found = counted.find(count.tenant.value()); found != counted.end()) {
        found->second = count.rows;
      }
    }
  }
  std::vector<int64_t> rows;
  rows.reserve(tenants.size());
  for (const TenantId& tenant : tenants) {
    rows.push_back(counted[tenant.value()]);
  }
  return rows;
}

StoreHealth RemoteStore::ProbeHealth() {
  const absl::StatusOr<v1::ProbeHealthResponse> response =
      connection_->Ask(options_, &Stub::ProbeHealth);
  if (!response.ok()) {
    const bool away = HasReason(response.status(), Reason::kUnavailable);
    return {.writable = false,
            .pressure = away ? kUnreachable : "",
            .detail = std::string(response.status().message())};
  }
  StoreHealth health{.writable = response->writable(),
                     .pressure = PressureOf(*response),
                     .detail = Printable(response->detail(), live_wire::kMaxSentenceBytes)};
  if (response->has_log_headroom_bytes()) {
    health.log_headroom_bytes = std::max<int64_t>(0, response->log_headroom_bytes());
  }
  return health;
}

}  // namespace reinstate

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace grpc {
class Server;
class Service;
}  // namespace grpc

namespace reinstate {

class CallObserver;

struct RpcServerOptions {
  std::vector<std::string> listen;  // host:port or unix:<path>, at least one
  // PEM, as text. Without a certificate nothing is encrypted; with a client CA clients must have a
  // certificate of it.
  std::string certificate;
  std::string key;
  std::string client_ca;
  CallObserver* observer = nullptr;  // is told of every call; borrowed, outlives the server
};

// The gRPC server: ports, TLS, limits, health (grpc.health.v1) and reflection.
//
// Thread-safe. Borrows the services, which outlive it.
class RpcServer {
 public:
  // Serves at once. UNAVAILABLE if an address cannot be had, e.g. because it is taken, or if
  // certificate and key cannot be used.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(
      const RpcServerOptions& options, const std::vector<grpc::Service*>& services);

  ~RpcServer();  // as Shutdown, at once
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  // Where it listens, in the order of options.listen; port 0 replaced by the one that it got.
  const std::vector<std::string>& addresses() const { return addresses_; }

  // What the health service answers, SERVING at first: whether this daemon can do its work. Calls
  // are taken either way.
  void SetServing(bool serving);

  // Takes no new calls, waits for those under way, and cancels them after `timeout`. Their handlers
  // must end. May be repeated.
  void Shutdown(absl::Duration timeout);

  grpc::Server* server() { return server_.get(); }

 private:
  RpcServer() = default;

  std::vector<std::string> addresses_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace reinstate

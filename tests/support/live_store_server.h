#pragma once

#include <memory>
#include <string>

#include "server/rpc/live_store_service.h"
#include "storage/live/live_store.h"

namespace grpc {
class Server;
}  // namespace grpc

namespace reinstate {

// Serves a store by the adapter protocol on a port of the loopback interface. Stops when it is
// destroyed.
class LiveStoreServer {
 public:
  // Serves `store`, which outlives this, under the names "" and "store". `port` 0 takes a free one.
  explicit LiveStoreServer(LiveStore* store, const LiveStoreServiceOptions& options = {},
                           int port = 0);
  ~LiveStoreServer();
  LiveStoreServer(const LiveStoreServer&) = delete;
  LiveStoreServer& operator=(const LiveStoreServer&) = delete;

  int port() const { return port_; }

  // Ends all sessions, as a daemon does that shuts down. gRPC still answers.
  void Drain();

 private:
  LiveStoreServiceImpl service_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

// "127.0.0.1:<port>".
std::string LoopbackAddress(int port);

}  // namespace reinstate

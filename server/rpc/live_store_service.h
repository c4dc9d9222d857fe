#pragma once

#include <memory>
#include <string>

#include "server/rpc/live_session.h"
#include "storage/base/clock.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace reinstate {

struct LiveStoreServiceOptions {
  int max_sessions = 32;  // each has a thread of its own; more are refused as UNAVAILABLE
  int max_cuts = 16;      // open at once; more are refused as UNAVAILABLE
  int call_threads = 8;   // for all other calls
  size_t max_payload_bytes = 256 << 20;  // of one change, which is held in memory
  const Clock* clock = Clock::System();
};

// Serves the adapter protocol (LiveStoreService) over any LiveStore: the counterpart of the adapter
// `remote`. It has threads of its own, so that stores that block hold up no other service.
//
// Thread-safe. Order at the end: Drain, then the server's Shutdown, then this is destroyed.
class LiveStoreServiceImpl {
 public:
  // `find_store` is thread-safe; the stores outlive this.
  LiveStoreServiceImpl(LiveStoreFinder find_store, const LiveStoreServiceOptions& options);
  ~LiveStoreServiceImpl();
  LiveStoreServiceImpl(const LiveStoreServiceImpl&) = delete;
  LiveStoreServiceImpl& operator=(const LiveStoreServiceImpl&) = delete;

  // To be registered with a server. Lives as long as this.
  grpc::Service* service();

  // Refuses new calls and ends all sessions (rolled back, but for a commit that is under way) and
  // streams, soon. gRPC's Shutdown waits for them.
  void Drain();

 private:
  class Calls;
  const std::unique_ptr<Calls> calls_;
};

}  // namespace reinstate

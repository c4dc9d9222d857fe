#include "tests/support/live_store_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

// As small as the protocol lets messages be, so that larger ones show.
constexpr int kMaxMessageBytes = 1 << 20;

}  // namespace

LiveStoreServer::LiveStoreServer(LiveStore* store, const LiveStoreServiceOptions& options, int port)
    : service_(
          [store](const std::string& name) -> absl::StatusOr<LiveStore*> {
            if (!name.empty() && name != "store") {
              return MakeError(Reason::kStoreNotFound, absl::StrCat("there is no store ", name));
            }
            return store;
          },
          options) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(LoopbackAddress(port), grpc::InsecureServerCredentials(), &port_);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.RegisterService(service_.service());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port_ == 0) {
    std::fprintf(stderr, "LiveStoreServer: cannot listen on port %d\n", port);
    std::abort();
  }
}

LiveStoreServer::~LiveStoreServer() {
  service_.Drain();
  server_->Shutdown();
  server_->Wait();
}

void LiveStoreServer::Drain() { service_.Drain(); }

std::string LoopbackAddress(int port) { return absl::StrCat("127.0.0.1:", port); }

}  // namespace reinstate

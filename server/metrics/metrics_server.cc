#include "server/metrics/metrics_server.h"

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

// A scrape at a time, and one to spare for a person who looks.
constexpr char kThreads[] = "2";
// So that a peer that sends nothing does not keep a thread for long.
constexpr char kRequestTimeoutMs[] = "5000";

}  // namespace

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(
    const std::string& listen, std::vector<std::shared_ptr<prometheus::Collectable>> sources) {
  std::unique_ptr<MetricsServer> server(new MetricsServer());
  server->sources_ = std::move(sources);
  try {
    server->exposer_ = std::make_unique<prometheus::Exposer>(
        std::vector<std::string>{"listening_ports", listen, "num_threads", kThreads,
                                 "request_timeout_ms", kRequestTimeoutMs});
  } catch (const std::exception&) {  // It says no more than that it failed.
    return MakeError(Reason::kUnavailable,
                     absl::StrCat("Cannot serve metrics on ", listen,
                                  ": the address is taken or is not of this machine."));
  }
  for (const auto& source : server->sources_) {
    server->exposer_->RegisterCollectable(source);
  }
  server->address_ = absl::StrCat(listen.substr(0, listen.rfind(':') + 1),
                                  server->exposer_->GetListeningPorts().front());
  return server;
}

MetricsServer::~MetricsServer() = default;

}  // namespace reinstate

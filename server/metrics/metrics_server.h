#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace prometheus {
class Collectable;
class Exposer;
}  // namespace prometheus

namespace reinstate {

// Serves metrics to Prometheus: GET /metrics over plain HTTP, on threads of its own. It shows names
// of stores and counts to whoever reaches it, and changes nothing.
class MetricsServer {
 public:
  // `listen` is host:port, where port 0 takes a free one. UNAVAILABLE if it cannot be had.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(
      const std::string& listen, std::vector<std::shared_ptr<prometheus::Collectable>> sources);

  // Waits for scrapes under way; after it the sources are not asked again. Takes up to two seconds:
  // the web server looks that often whether it is to end.
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  // Where it listens, with the port that it got.
  const std::string& address() const { return address_; }

 private:
  MetricsServer() = default;

  // The exposer only has weak references.
  std::vector<std::shared_ptr<prometheus::Collectable>> sources_;
  std::string address_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace reinstate

#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/support/postgres_server.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace reinstate {

// A pgbouncer in front of a server, which hands its one connection from transaction to transaction
// to whoever comes. Ends with this object.
class Pooler {
 public:
  // Fails with what to install if there is none.
  static absl::StatusOr<std::unique_ptr<Pooler>> Start(const PostgresServer& server);

  int port() const { return port_; }  // on the loopback interface
  // For the superuser `postgres`.
  std::string Conninfo(const std::string& database) const;

 private:
  Pooler() = default;

  // On port_.
  absl::Status Run(const PostgresServer& server);

  const TempDir folder_;
  int port_ = 0;
  std::unique_ptr<Subprocess> process_;
};

}  // namespace reinstate

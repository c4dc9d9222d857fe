#include "tests/support/pooler.h"

#include <libpq-fe.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/base/status_macros.h"
#include "tests/support/tcp_proxy.h"

namespace reinstate {
namespace {

constexpr int kPortsTried = 5;

}  // namespace

absl::StatusOr<std::unique_ptr<Pooler>> Pooler::Start(const PostgresServer& server) {
  std::unique_ptr<Pooler> pooler(new Pooler());
  absl::Status status;
  for (int attempt = 0; attempt < kPortsTried; ++attempt) {
    // It was free a moment ago, and may be another one's by now.
    pooler->port_ = TcpProxy(server.port()).port();
    status = pooler->Run(server);
    if (status.ok()) {
      return pooler;
    }
  }
  return status;
}

absl::Status Pooler::Run(const PostgresServer& server) {
  const std::string& folder = folder_.path();
  std::filesystem::permissions(
      folder, std::filesystem::perms::others_all | std::filesystem::perms::owner_all);
  const std::string config = folder + "/pgbouncer.ini";
  std::ofstream(config) << "[databases]\n* = host=127.0.0.1 port=" << server.port()
                        << " user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = "
                        << port_ << "\nunix_socket_dir =\nauth_type = any\npool_mode = "
                        << "transaction\ndefault_pool_size = 1\n";
  std::vector<std::string> words = {"/usr/sbin/pgbouncer", config};
  if (geteuid() == 0) {
    words = {"/usr/bin/setpriv", "--reuid=postgres",    "--regid=postgres",
             "--clear-groups",   "/usr/sbin/pgbouncer", config};
  }
  ASSIGN_OR_RETURN(process_, Subprocess::Start(words, {}));
  const absl::Time until = absl::Now() + absl::Seconds(30);
  while (PQping(Conninfo("postgres").c_str()) != PQPING_OK) {
    const bool ended = process_->WaitForEnd(absl::Milliseconds(10)) != -1;
    if (ended || absl::Now() > until) {
      return absl::DeadlineExceededError(
          absl::StrCat("needs pgbouncer (deploy/install-dependencies): ", process_->Err()));
    }
  }
  return absl::OkStatus();
}

std::string Pooler::Conninfo(const std::string& database) const {
  return absl::StrCat("host=127.0.0.1 port=", port_, " user=postgres dbname=", database);
}

}  // namespace reinstate

#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace reinstate {

// A PostgreSQL 15 server of the test's own: a new cluster in a temporary folder, reached on a free
// port of the loopback interface and on a socket. Ends with this object, and with the thread that
// started it should that die. A process of root runs it as the user `postgres`, since the server
// refuses root.
//
// Not thread-safe.
class PostgresServer {
 public:
  struct Options {
    // Whether it syncs files. Without, only a crash of the machine would show a difference.
    bool fsync = true;
    std::vector<std::string> settings;  // "name=value"
  };

  // Fails with what to install if there is no server.
  static absl::StatusOr<std::unique_ptr<PostgresServer>> Start(const Options& options);

  // The one of this process, without fsync, started by the first caller; each test makes databases
  // of its own in it. Aborts the process if it cannot be started.
  static PostgresServer* Shared();

  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  int port() const { return port_; }

  // Connection strings for the superuser `postgres`, who has no password.
  std::string OnSocket(std::string_view database) const;
  std::string OnTcp(std::string_view database) const;

  // Makes an empty database and returns its name.
  std::string MakeDatabase();

  // Ends it as `pg_ctl stop -m immediate` does, without a chance to clean up, as a crash would;
  // Resume starts it again on the same data and port.
  void Crash();
  // Ends it as `pg_ctl stop -m fast` does: what is connected is rolled back.
  void Stop();
  absl::Status Resume();
  // As Resume, but as a standby that waits for more to replay, and can only be read.
  absl::Status ResumeAsStandby();

  // The end of its log, for messages.
  std::string LogTail() const;

 private:
  PostgresServer() = default;

  absl::Status Prepare();
  absl::Status Run();
  absl::Status WaitUntilReady();
  void Signal(int number);

  std::string folder_;
  std::vector<std::string> settings_;
  int port_ = 0;
  pid_t pid_ = 0;
  int databases_ = 0;
};

}  // namespace reinstate

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/bench/bench_daemon.h"
#include "tests/support/plain_database.h"
#include "tests/support/postgres_server.h"
#include "tests/support/postgres_site.h"

namespace reinstate::bench {

// The ticket tracker in a PostgreSQL server of the benchmark's own, which syncs as one in earnest
// does. Not thread-safe.
class PostgresTracker {
 public:
  // Starts the server and loads the rows of `site`, which is borrowed.
  static absl::StatusOr<std::unique_ptr<PostgresTracker>> Load(const PostgresSite* site);

  // A daemon whose only store is this, with the data in `folder`/daemon and the configuration
  // beside it. Makes its role.
  absl::StatusOr<std::unique_ptr<BenchDaemon>> StartDaemon(const std::string& folder);

  // The settings of the server that differ from its defaults, for people.
  static std::string Settings();

  const PostgresSite& site() const { return *site_; }
  PlainDatabase* database() { return database_.get(); }
  PostgresServer* server() { return server_.get(); }
  const std::string& database_name() const { return database_name_; }
  std::string conninfo() const { return server_->OnSocket(database_name_); }

  // Rows and indexes.
  absl::StatusOr<int64_t> Bytes();

  // The ids of sites by their indices.
  std::vector<int64_t> Ids(const std::vector<size_t>& sites) const;

  // Deletes these sites as the script did, and brings the server to rest.
  absl::Status Delete(const std::vector<size_t>& sites);

  // Brings the server to rest: dead rows removed, statistics of this state, everything written out.
  absl::Status Rest();

  // Changes one row in `one_in` of every table with texts, others each time.
  absl::Status ChangeRows(int64_t one_in, int64_t edition);

  // A number that any difference in any row of any site changes.
  absl::StatusOr<std::string> Fingerprint();

  // The server counts statements anew from now on.
  absl::Status ForgetStatements();

  // How long the adapter's checks of constraints have run in the server since then.
  absl::StatusOr<absl::Duration> TimeOfChecks();

 private:
  explicit PostgresTracker(const PostgresSite* site) : site_(site) {}

  const PostgresSite* const site_;
  std::unique_ptr<PostgresServer> server_;
  std::string database_name_;
  std::unique_ptr<PlainDatabase> database_;
};

}  // namespace reinstate::bench

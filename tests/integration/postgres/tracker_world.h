#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/expected_site.h"
#include "tests/support/plain_database.h"
#include "tests/support/postgres_server.h"
#include "tests/support/postgres_site.h"
#include "tests/support/site_writer.h"
#include "tests/support/temp_dir.h"

namespace reinstate {

// The ticket tracker in a database of a PostgreSQL server, what it must hold, and a role for the
// daemon. Failures of what a test takes for granted end the test.
class TrackerWorld {
 public:
  // With one site of each size, in a database of its own on `server`, which outlives this.
  TrackerWorld(PostgresServer* server, std::vector<int64_t> sizes);

  const PostgresSite& site() const { return site_; }
  ExpectedSite* expected() { return &expected_; }
  PlainDatabase* database() { return database_.get(); }
  PostgresServer* server() { return server_; }
  const std::string& database_name() const { return database_name_; }
  int64_t Id(size_t site) const { return site_.SiteId(site); }
  std::string Tenant(size_t site) const { return std::to_string(Id(site)); }

  // A connection of the superuser, past any proxy.
  std::unique_ptr<PlainDatabase> Connect() const;

  // Writes a configuration of the daemon for this database, reached at `port` (0: the server's
  // own), and returns the daemon's arguments for it.
  std::vector<std::string> DaemonArguments(int port = 0);

  // Connects again, to a server that was gone.
  void Reconnect() { database_ = Connect(); }

  // Runs statements, as a superuser.
  void Run(const std::string& sql);

  // Deletes sites as the script did, and forgets them.
  void Delete(const std::vector<size_t>& sites);

  // The sites must be as they were at first.
  void ExpectAtFirst(const std::vector<size_t>& sites);

  // A writer of sites of its own.
  std::unique_ptr<SiteWriter> Write(const std::vector<size_t>& sites, uint64_t seed);

  // Fails with each row that is not as it must be, and if the daemon's role caused a notification.
  void ExpectAllAsItMustBe();

  SiteRows Read(size_t site);

  // Blocks until the server has no connection left of a daemon that was killed.
  void AwaitDaemonGone();

 private:
  PostgresServer* const server_;
  const PostgresSite site_;
  ExpectedSite expected_;
  const ExpectedSite at_first_;
  const std::string database_name_;
  TempDir folder_;
  std::unique_ptr<PlainDatabase> database_;
};

}  // namespace reinstate

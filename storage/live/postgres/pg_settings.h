#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

struct pg_conn;

namespace reinstate {

// How to reach a database, and how long to wait for it.
struct PgOptions {
  // A connection string or URI of libpq. Passwords belong into a password file, a service file or
  // the environment; it is never put into a message.
  std::string conninfo;
  std::string application_name = "reinstate";
  absl::Duration connect_timeout = absl::Seconds(10);  // a host; at least 2 s
  absl::Duration lock_timeout = absl::Seconds(5);      // a statement's wait for a lock
  // How long the server may be silent while we wait for it, before the connection is given up. Long
  // enough for it to sort a tenant. A peer that is gone is noticed within 30 s whatever this is.
  absl::Duration silence_timeout = absl::Minutes(10);
  // Schemas, in order; functions in constraints may need them. Empty: that of the role.
  std::vector<std::string> search_path;
  // What ReadIdentity must give; empty: anything.
  std::string identity;
};

struct PgTransaction {
  bool repeatable_read = true;  // else READ COMMITTED
  bool read_only = false;
  // session_replication_role = replica: triggers, rules, foreign keys and deferrable constraints
  // are off. Needs SET on that parameter.
  bool silent = false;
};

// Begins to connect, without waiting; PQconnectPoll goes on with it. CONFIG_INVALID if the
// connection string is malformed, UNAVAILABLE if there is no memory. The caller ends what it gives.
absl::StatusOr<pg_conn*> StartConnect(const PgOptions& options);

// What is set once a connection, since it counts outside of transactions too.
std::string SessionSettings();

// The statements that begin a transaction with all settings that the text of values depends on, on
// a server of `version`, e.g. 150004.
std::string BeginSql(const PgTransaction& transaction, const PgOptions& options, int version);

}  // namespace reinstate

#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "storage/live/live_store.h"
#include "tests/support/plain_database.h"

namespace reinstate {

// The store's name in the daemon's configuration, and the role that the daemon has in PostgreSQL.
inline constexpr char kSiteStore[] = "main";
inline constexpr char kDaemonRole[] = "reinstate";

// Makes the daemon's role, if the server has none yet, and gives it what deploy/postgres/role.sql
// gives it in the database of `database`, a superuser's connection.
absl::Status MakeDaemonRole(PlainDatabase* database);

// Writes the daemon's configuration for the ticket tracker in a database to the file `path`.
absl::Status WriteSiteConfig(int port, const std::string& database, const std::string& path);

// The ticket tracker as the engine sees it, for the daemon's role. `conninfo` is of any role.
std::unique_ptr<LiveStore> OpenSiteStore(const std::string& conninfo);

}  // namespace reinstate

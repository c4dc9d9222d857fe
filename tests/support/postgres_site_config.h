#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "storage/live/live_store.h"

namespace reinstate {

// The store's name in the daemon's configuration, and the role that the daemon has in PostgreSQL.
inline constexpr char kSiteStore[] = "main";
inline constexpr char kDaemonRole[] = "reinstate";

// Makes the daemon's role by deploy/postgres/role.sql, if the server has none yet, and gives it its
// rights in the database of `conninfo`, which is a superuser's: on the tables that are there, of
// which those that the ticket tracker shares or excludes are only read.
absl::Status MakeDaemonRole(const std::string& conninfo);

// Writes the daemon's configuration for the ticket tracker in a database to the file `path`: what
// is to come `first`, and the store.
absl::Status WriteSiteConfig(int port, const std::string& database, const std::string& path,
                             const std::string& first = "");

// The ticket tracker as the engine sees it, for the daemon's role. `conninfo` is of any role.
std::unique_ptr<LiveStore> OpenSiteStore(const std::string& conninfo);

}  // namespace reinstate

#include "tests/support/postgres_site_config.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "storage/live/postgres/postgres_store.h"
#include "tests/support/subprocess.h"

namespace reinstate {
namespace {

PostgresStoreOptions SiteOptions(const std::string& conninfo) {
  PostgresStoreOptions options;
  options.connection.conninfo = absl::StrCat(conninfo, " user=", kDaemonRole);
  options.map.tenant_table = "sites";
  options.map.tenant_columns = {"site_id"};
  options.map.label_columns = {"name"};
  options.map.shared = {"plans"};
  options.map.excluded = {{"notifications", "would be sent again"}};
  return options;
}

}  // namespace

absl::Status MakeDaemonRole(const std::string& conninfo) {
  ASSIGN_OR_RETURN(
      const std::unique_ptr<Subprocess> psql,
      Subprocess::Start({"/usr/lib/postgresql/15/bin/psql", "--no-psqlrc", "-v",
                         absl::StrCat("role=", kDaemonRole), "-v", "read_only=plans,notifications",
                         "-f", REINSTATE_ROLE_SQL, conninfo},
                        {}));
  const int exit_code = psql->WaitForEnd();
  return exit_code == 0 ? absl::OkStatus()
                        : absl::InternalError(absl::StrCat("role.sql: ", psql->Err()));
}

absl::Status WriteSiteConfig(int port, const std::string& database, const std::string& path,
                             const std::string& first) {
  std::ofstream file(path);
  file << absl::StrCat(first, "[[store]]\nname = \"", kSiteStore,
                       "\"\nadapter = \"postgres\"\nhost = \"127.0.0.1\"\nport = ", port,
                       "\ndatabase = \"", database, "\"\nuser = \"", kDaemonRole, "\"\n")
       << R"(tenant_table = "sites"
tenant_columns = ["site_id"]
labels = ["name"]
shared = ["plans"]
excluded = { notifications = "would be sent again" }
)";
  return file.flush() ? absl::OkStatus() : absl::InternalError(absl::StrCat("cannot write ", path));
}

std::unique_ptr<LiveStore> OpenSiteStore(const std::string& conninfo) {
  return PostgresStore::Create(SiteOptions(conninfo));
}

}  // namespace reinstate

#include "tests/support/postgres_site_config.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "storage/live/postgres/postgres_store.h"

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

absl::Status MakeDaemonRole(PlainDatabase* database) {
  RETURN_IF_ERROR(
      database->Run(absl::StrCat("DO $$ BEGIN CREATE ROLE ", kDaemonRole,
                                 " LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")));
  return database->Run(absl::StrCat(
      "GRANT SET ON PARAMETER session_replication_role TO ", kDaemonRole,
      "; GRANT pg_read_all_stats TO ", kDaemonRole, "; GRANT USAGE ON SCHEMA public TO ",
      kDaemonRole, "; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ",
      kDaemonRole, "; GRANT SELECT, UPDATE, USAGE ON ALL SEQUENCES IN SCHEMA public TO ",
      kDaemonRole));
}

absl::Status WriteSiteConfig(int port, const std::string& database, const std::string& path) {
  std::ofstream file(path);
  file << absl::StrCat("[[store]]\nname = \"", kSiteStore,
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

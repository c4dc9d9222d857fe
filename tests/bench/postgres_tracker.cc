#include "tests/bench/postgres_tracker.h"

#include <filesystem>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "tests/support/postgres_site_config.h"

namespace reinstate::bench {
namespace {

// Fixed, and nothing goes on behind one's back: no autovacuum and no checkpoint while something is
// measured.
std::vector<std::string> FixedSettings() {
  return {
      "shared_buffers=1GB", "work_mem=16MB",         "maintenance_work_mem=512MB",
      "max_wal_size=16GB",  "min_wal_size=4GB",      "checkpoint_timeout=1h",
      "autovacuum=off",     "synchronous_commit=on", "shared_preload_libraries=pg_stat_statements"};
}

}  // namespace

std::string PostgresTracker::Settings() {
  return absl::StrCat("fsync=on ", absl::StrJoin(FixedSettings(), " "));
}

absl::StatusOr<std::unique_ptr<PostgresTracker>> PostgresTracker::Load(const PostgresSite* site) {
  std::unique_ptr<PostgresTracker> tracker(new PostgresTracker(site));
  ASSIGN_OR_RETURN(tracker->server_,
                   PostgresServer::Start({.fsync = true, .settings = FixedSettings()}));
  tracker->database_name_ = tracker->server_->MakeDatabase();
  ASSIGN_OR_RETURN(tracker->database_, PlainDatabase::Connect(tracker->conninfo()));
  RETURN_IF_ERROR(site->Load(tracker->database_.get()));
  RETURN_IF_ERROR(tracker->database_->Run("CREATE SCHEMA watch"));
  RETURN_IF_ERROR(tracker->database_->Run("CREATE EXTENSION pg_stat_statements SCHEMA watch"));
  RETURN_IF_ERROR(tracker->Rest());
  return tracker;
}

absl::StatusOr<std::unique_ptr<BenchDaemon>> PostgresTracker::StartDaemon(
    const std::string& folder) {
  RETURN_IF_ERROR(MakeDaemonRole(conninfo()));
  std::filesystem::create_directories(folder);
  const std::string config = absl::StrCat(folder, "/config.toml");
  RETURN_IF_ERROR(WriteSiteConfig(server_->port(), database_name_, config));
  return BenchDaemon::Start({.data_path = absl::StrCat(folder, "/daemon"),
                             .arguments = {"--config", config},
                             .store = kSiteStore});
}

absl::StatusOr<int64_t> PostgresTracker::Bytes() {
  ASSIGN_OR_RETURN(const std::string text,
                   database_->Value("SELECT pg_database_size(current_database())"));
  int64_t bytes = 0;
  return absl::SimpleAtoi(text, &bytes) ? bytes : 0;
}

std::vector<int64_t> PostgresTracker::Ids(const std::vector<size_t>& sites) const {
  std::vector<int64_t> ids;
  ids.reserve(sites.size());
  for (const size_t site : sites) {
    ids.push_back(site_->SiteId(site));
  }
  return ids;
}

absl::Status PostgresTracker::Delete(const std::vector<size_t>& sites) {
  RETURN_IF_ERROR(DeleteSites(database_.get(), Ids(sites), /*silent=*/true));
  return Rest();
}

absl::Status PostgresTracker::Rest() {
  RETURN_IF_ERROR(database_->Run("VACUUM (ANALYZE)"));
  return database_->Run("CHECKPOINT");
}

absl::Status PostgresTracker::ChangeRows(int64_t one_in, int64_t edition) {
  const std::string which = absl::StrCat(one_in, ") = ", edition % one_in);
  std::string sql = "BEGIN; SET LOCAL session_replication_role = replica;";
  for (const char* column :
       {"issues title", "comments body", "worklogs note", "changes was", "projects title"}) {
    const std::string_view words = column;
    const size_t space = words.find(' ');
    const std::string table(words.substr(0, space));
    const std::string name(words.substr(space + 1));
    absl::StrAppend(&sql, "UPDATE ", table, " SET ", name, " = concat(", name, ", ' edition ",
                    edition, "') WHERE mod(id / ", site_->sites(), ", ", which, ";");
  }
  absl::StrAppend(&sql, "UPDATE attachments SET file_name = concat('", edition,
                  "', file_name) WHERE mod(('x' || substr(id::text, 1, 7))::bit(28)::integer, ",
                  which, ";");
  absl::StrAppend(&sql, "UPDATE users SET active = NOT active WHERE mod(id, ", which, "; COMMIT");
  RETURN_IF_ERROR(database_->Run(sql));
  return Rest();
}

absl::Status PostgresTracker::ForgetStatements() {
  return database_->Run("SELECT watch.pg_stat_statements_reset()");
}

absl::StatusOr<absl::Duration> PostgresTracker::TimeOfChecks() {
  ASSIGN_OR_RETURN(const std::string text,
                   database_->Value("SELECT sum(total_exec_time) FROM watch.pg_stat_statements "
                                    "WHERE query LIKE '%constraint check%' AND userid = "
                                    "'reinstate'::regrole"));
  double milliseconds = 0;
  if (!absl::SimpleAtod(text, &milliseconds)) {
    return absl::InternalError(absl::StrCat("not a time: ", text));
  }
  return absl::Milliseconds(milliseconds);
}

absl::StatusOr<std::string> PostgresTracker::Fingerprint() {
  std::string fingerprint;
  for (const SiteTableInfo& info : kSiteTableInfos) {
    ASSIGN_OR_RETURN(const std::string sum,
                     database_->Value(absl::StrCat(
                         "SELECT concat(count(*), '/', sum(hashtextextended(t::text, 0)::numeric)) "
                         "FROM ",
                         Absl(info.name), " AS t")));
    absl::StrAppend(&fingerprint, sum, " ");
  }
  return fingerprint;
}

}  // namespace reinstate::bench

#include "storage/live/postgres/commit_token.h"

#include <charconv>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// NULL where it cannot be told.
constexpr std::string_view kLife =
    "(SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.concat_ws('/', "
    "c.system_identifier, pg_catalog.substr(pg_catalog.pg_walfile_name("
    "pg_catalog.pg_current_wal_lsn()), 1, 8), extract(epoch FROM a.backend_start)) END "
    "FROM pg_catalog.pg_control_system() c, pg_catalog.pg_stat_activity a "
    "WHERE a.backend_type = 'checkpointer')";

bool IsNumber(std::string_view text) {
  uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

}  // namespace

absl::StatusOr<CommitToken> MakeCommitToken(PgConnection* connection) {
  constexpr std::string_view kDoing = "name the transaction";
  // No connection outlives the life of its server.
  ASSIGN_OR_RETURN(const PgParam life,
                   connection->AskOnce(kDoing, absl::StrCat("SELECT ", std::string(kLife))));
  ASSIGN_OR_RETURN(const PgResult number,
                   connection->Query(kDoing, "SELECT pg_catalog.pg_current_xact_id_if_assigned()"));
  if (!life.has_value() || number.IsNull(0, 0)) {
    return CommitToken();
  }
  return CommitToken{.bytes = absl::StrCat(std::string(number.Get(0, 0)), " ", *life)};
}

absl::StatusOr<CommitOutcome> ResolveCommitToken(const CommitToken& token,
                                                 PgConnection* connection) {
  const std::string_view bytes = token.bytes;
  const size_t blank = bytes.find(' ');
  const std::string_view number = bytes.substr(0, blank);
  if (blank == std::string_view::npos || !IsNumber(number)) {
    return CommitOutcome::kNotKnown;
  }
  constexpr std::string_view kDoing = "ask what became of a commit";
  ASSIGN_OR_RETURN(const PgResult life,
                   connection->Query(kDoing, absl::StrCat("SELECT ", std::string(kLife))));
  if (life.IsNull(0, 0) || life.Get(0, 0) != bytes.substr(blank + 1)) {
    return CommitOutcome::kNotKnown;
  }
  ASSIGN_OR_RETURN(const PgResult status,
                   connection->Query(kDoing, "SELECT pg_catalog.pg_xact_status($1::xid8)",
                                     {std::string(number)}));
  if (status.Get(0, 0) == "committed") {
    return CommitOutcome::kCommitted;
  }
  return status.Get(0, 0) == "aborted" ? CommitOutcome::kNotCommitted : CommitOutcome::kNotKnown;
}

}  // namespace reinstate

#include "storage/live/postgres/pg_settings.h"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/strings.h"
#include "storage/live/postgres/sql_text.h"

namespace reinstate {
namespace {

constexpr int kNewestWithoutTransactionTimeout = 169999;

// What the text of values depends on, and the time-outs that a role may bring along. The server
// looks after us every second while it works, so that nothing goes on for a connection that is
// gone.
constexpr std::string_view kPinned =
    "SET LOCAL DateStyle = 'ISO, MDY'; SET LOCAL IntervalStyle = 'postgres'; "
    "SET LOCAL TimeZone = 'UTC'; SET LOCAL extra_float_digits = 1; "
    "SET LOCAL client_encoding = 'UTF8'; SET LOCAL bytea_output = 'hex'; "
    "SET LOCAL lc_monetary = 'C'; SET LOCAL array_nulls = on; SET LOCAL xmloption = 'content'; "
    "SET LOCAL row_security = off; SET LOCAL statement_timeout = 0; "
    "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL synchronous_commit = on; ";

// Of the session, since they count outside of transactions too. Harmless to anybody else. Without
// the JIT compiler: it takes longer than our statements, which are short or bound by COPY, and each
// new connection would load it anew.
constexpr std::string_view kOfSession =
    "SET idle_session_timeout = 0; SET client_connection_check_interval = '1s'; SET jit = off";

std::string QuotedSchemas(const std::vector<std::string>& schemas) {
  std::string list;
  for (const std::string& schema : schemas) {
    absl::StrAppend(&list, list.empty() ? "" : ", ", QuoteIdentifier(schema));
  }
  return list;
}

}  // namespace

absl::StatusOr<pg_conn*> StartConnect(const PgOptions& options) {
  char* complaint = nullptr;
  PQconninfoOption* const parsed = PQconninfoParse(options.conninfo.c_str(), &complaint);
  PQfreemem(complaint);  // It quotes what may be a password.
  if (parsed == nullptr) {
    return MakeError(Reason::kConfigInvalid, "the connection string of the database is malformed");
  }
  PQconninfoFree(parsed);
  // What comes before `dbname` can be overridden by the connection string.
  const std::array keywords = {"keepalives_idle",  "keepalives_interval",
                               "keepalives_count", "tcp_user_timeout",
                               "dbname",           "application_name",
                               "client_encoding",  static_cast<const char*>(nullptr)};
  const std::array values = {"10",
                             "5",
                             "3",
                             "30000",
                             options.conninfo.c_str(),
                             options.application_name.c_str(),
                             "UTF8",
                             static_cast<const char*>(nullptr)};
  pg_conn* const connection =
      PQconnectStartParams(keywords.data(), values.data(), /*expand_dbname=*/1);
  if (connection == nullptr) {
    return MakeError(Reason::kUnavailable, "no memory for a connection to the database");
  }
  return connection;
}

std::string SessionSettings() { return std::string(kOfSession); }

std::string BeginSql(const PgTransaction& transaction, const PgOptions& options, int version) {
  std::string sql = absl::StrCat(
      "BEGIN ISOLATION LEVEL ", transaction.repeatable_read ? "REPEATABLE READ" : "READ COMMITTED",
      transaction.read_only ? " READ ONLY; " : " READ WRITE; ", Absl(kPinned),
      "SET LOCAL lock_timeout = ",
      std::max<int64_t>(1, absl::ToInt64Milliseconds(options.lock_timeout)), "; ");
  if (version > kNewestWithoutTransactionTimeout) {
    absl::StrAppend(&sql, "SET LOCAL transaction_timeout = 0; ");
  }
  if (!options.search_path.empty()) {
    absl::StrAppend(&sql, "SET LOCAL search_path = ", QuotedSchemas(options.search_path), "; ");
  }
  if (transaction.silent) {
    absl::StrAppend(&sql, "SET LOCAL session_replication_role = replica; ");
  }
  return sql;
}

}  // namespace reinstate

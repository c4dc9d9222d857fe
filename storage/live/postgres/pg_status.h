#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

struct pg_conn;
struct pg_result;

namespace reinstate {

// What the server said of an error: names only, never values of rows.
struct PgServerError {
  std::string sqlstate;  // empty if the error did not come from the server
  std::string schema;
  std::string table;
  std::string column;
  std::string constraint;
  std::string object;  // the whole message where it holds only names: that of a missing privilege
  // Whether it arose in a statement of a function or of the server's own, not in ours.
  bool in_function = false;
  int64_t copy_line = 0;  // of COPY … FROM: the line that it is about, from 1; 0 if it is not known
};

// Reads the error that `result` holds.
PgServerError ServerErrorOf(const pg_result* result);

// The one place where errors of PostgreSQL become ours. `doing` says what was tried, e.g. "read the
// catalog". Neither detail, hint, context nor (but for missing privileges) the message of the
// server is in it: they show values of rows, and of other tenants' too.
//
// LIVE_CHANGED: a race with others, or the schema changed. KEY_CONFLICT: a unique or exclusion
// constraint. NOT_ALLOWED, NO_SPACE, UNSUPPORTED, CORRUPT as their names say. SESSION_LOST: the
// server ended the connection. CANCELLED: somebody cancelled the statement.
absl::Status StatusOfServerError(const PgServerError& error, std::string_view doing);

// Why a connection was not had: NOT_ALLOWED if the role is refused or there is no such database,
// else UNAVAILABLE. Its error messages must have been set
// to hold SQLSTATEs.
absl::Status StatusOfFailedConnect(const pg_conn* connection);

}  // namespace reinstate

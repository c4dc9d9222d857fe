#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace reinstate {

// Where a database is and who we are there, as it is configured. What is empty is libpq's default:
// its environment variables (PGHOST, PGPASSWORD, …), then its own.
struct PgAddress {
  std::string conninfo;  // a connection string or URI of libpq, for what the others do not say
  std::string service;   // a section of libpq's service file
  std::string host;      // a name, an address, or the folder of a socket
  int64_t port = 0;
  std::string database;
  std::string user;
  std::string password_file;  // in the format of libpq's .pgpass
};

// The connection string that libpq takes. CONFIG_INVALID if conninfo is malformed or has a password
// in it, which belongs where the configuration is not, or if the password file cannot be read or
// can be read by others (libpq would ignore it without a word). Messages show neither.
absl::StatusOr<std::string> MakeConninfo(const PgAddress& address);

}  // namespace reinstate

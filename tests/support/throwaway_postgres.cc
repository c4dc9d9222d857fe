// A PostgreSQL server for tests that are not C++: prints its port on the loopback interface, where
// the superuser `postgres` needs no password, and keeps it up until its standard input ends.

#include <cstdio>

#include "tests/support/postgres_server.h"

int main() {
  const auto server = reinstate::PostgresServer::Start({.fsync = false, .settings = {}});
  if (!server.ok()) {
    std::fprintf(stderr, "%s\n", server.status().ToString().c_str());
    return 1;
  }
  std::printf("%d\n", (*server)->port());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}

#include "storage/live/postgres/pg_connection_pool.h"

#include <utility>

#include "absl/time/clock.h"

namespace reinstate {
namespace {

constexpr absl::Duration kLongestIdle = absl::Minutes(1);

}  // namespace

std::unique_ptr<PgConnection> PgConnectionPool::Take() {
  std::vector<Idle> old;  // closed without the lock
  MutexLock lock(&mu_);
  const absl::Time now = absl::Now();
  while (!idle_.empty()) {
    Idle last = std::move(idle_.back());
    idle_.pop_back();
    if (now - last.since < kLongestIdle) {
      return std::move(last.connection);
    }
    old.push_back(std::move(last));
  }
  return nullptr;
}

void PgConnectionPool::Give(std::unique_ptr<PgConnection> connection) {
  if (connection->broken()) {
    return;
  }
  MutexLock lock(&mu_);
  if (idle_.size() < most_) {
    idle_.push_back({.connection = std::move(connection), .since = absl::Now()});
  }
}

}  // namespace reinstate

#include "storage/live/postgres/pg_connection_pool.h"

#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace reinstate {
namespace {

constexpr absl::Duration kLongestLife = absl::Minutes(1);

}  // namespace

std::unique_ptr<PgConnection> PgConnectionPool::Take() {
  std::vector<std::unique_ptr<PgConnection>> old;  // closed without the lock
  MutexLock lock(&mu_);
  const absl::Time now = absl::Now();
  while (!idle_.empty()) {
    std::unique_ptr<PgConnection> last = std::move(idle_.back());
    idle_.pop_back();
    if (now - last->connected_at() < kLongestLife) {
      return last;
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
    idle_.push_back(std::move(connection));
  }
}

}  // namespace reinstate

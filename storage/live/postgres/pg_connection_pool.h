#pragma once

#include <memory>
#include <vector>

#include "storage/base/mutex.h"
#include "storage/live/postgres/pg_connection.h"

namespace reinstate {

// Connections of sessions that ended well, for those that follow: a new one costs a process of the
// server, which has to read the catalog first. None that an error or a cancel has touched is ever
// in it. Thread-safe.
class PgConnectionPool {
 public:
  // Keeps at most `most` connections, none that was made more than a minute ago: a name may lead to
  // another server by then.
  explicit PgConnectionPool(size_t most) : most_(most) {}

  // nullptr if there is none. The server may have closed it meanwhile, which its first use shows.
  std::unique_ptr<PgConnection> Take();

  // `connection` has no transaction and no lock.
  void Give(std::unique_ptr<PgConnection> connection);

 private:
  const size_t most_;
  Mutex mu_;
  std::vector<std::unique_ptr<PgConnection>> idle_ ABSL_GUARDED_BY(mu_);
};

}  // namespace reinstate

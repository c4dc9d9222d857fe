#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/base/mutex.h"
#include "storage/base/periodic_thread.h"
#include "storage/live/postgres/ownership.h"
#include "storage/live/postgres/pg_connection.h"
#include "storage/live/postgres/postgres_store_options.h"

namespace reinstate {

// One consistent view of a database for any number of connections: a REPEATABLE READ transaction
// exports its snapshot, the others import it. All tables that are captured were locked (ACCESS
// SHARE, as every SELECT does) before the view was taken, so that the map, which was read in the
// view, stays true.
//
// These locks make an ALTER TABLE wait, and everybody else behind that one: if somebody has waited
// for options.give_way_after, the view is given up, and all that is read in it fails with
// SESSION_LOST.
//
// Thread-safe. Destroyed after its leases.
class CutView {
 public:
  // UNSUPPORTED on a standby; NOT_ALLOWED if the role may not read something (CheckReadable);
  // UNAVAILABLE if a table stays locked by others or the tables keep changing.
  static absl::StatusOr<std::unique_ptr<CutView>> Open(const PostgresStoreOptions& options);

  ~CutView();
  CutView(const CutView&) = delete;
  CutView& operator=(const CutView&) = delete;

  const PgTenantMap& map() const { return *map_; }
  absl::Time instant() const { return instant_; }
  const std::string& position() const { return position_; }

  // A connection that is in the view, for one user at a time. Returns it when destroyed if it is
  // not broken and is free for a next statement, else closes it.
  class Lease {
   public:
    Lease(CutView* view, std::unique_ptr<PgConnection> connection)
        : view_(view), connection_(std::move(connection)) {}
    ~Lease();
    Lease(Lease&&) = default;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    PgConnection* operator->() const { return connection_.get(); }

    // Whether a COPY goes on, so that the connection cannot be used again.
    void set_busy(bool busy) { busy_ = busy; }

   private:
    CutView* view_;
    std::unique_ptr<PgConnection> connection_;
    bool busy_ = false;
  };

  absl::StatusOr<std::unique_ptr<Lease>> Take();

  // `status`, or, if the view was given up, why.
  absl::Status Explain(const absl::Status& status) const;

 private:
  explicit CutView(const PostgresStoreOptions& options);

  absl::StatusOr<std::unique_ptr<PgConnection>> Connect();
  absl::StatusOr<PgTenantMap> ReadMap(PgConnection* connection) const;
  absl::Status TakeView();
  absl::StatusOr<bool> TryTakeView();
  absl::Status ReadInstant();
  void Close(std::unique_ptr<PgConnection> connection);
  void Watch();
  absl::Status LookForWaiters();

  const PostgresStoreOptions options_;
  const std::string name_;  // of all connections of this view in pg_stat_activity
  PgOptions connecting_;
  std::unique_ptr<PgConnection> exporter_;
  std::string exported_;  // the name of the snapshot
  std::optional<PgTenantMap> map_;
  absl::Time instant_;
  std::string position_;

  mutable Mutex mu_;
  std::vector<std::unique_ptr<PgConnection>> idle_ ABSL_GUARDED_BY(mu_);
  std::set<int> pids_ ABSL_GUARDED_BY(mu_);  // of our backends in the view
  absl::Status given_up_ ABSL_GUARDED_BY(mu_);

  std::unique_ptr<PgConnection> watcher_;  // of Watch only
  std::unique_ptr<PeriodicThread> watch_;
};

}  // namespace reinstate

#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/fault_points.h"
#include "storage/base/mutex.h"
#include "storage/live/live_store.h"
#include "storage/live/postgres/key_batch.h"
#include "storage/live/postgres/large_changes.h"
#include "storage/live/postgres/ownership.h"
#include "storage/live/postgres/pg_connection.h"
#include "storage/live/postgres/pg_connection_pool.h"
#include "storage/live/postgres/waiter_watch.h"
#include "storage/live/session_phase.h"
#include "storage/live/tenant_session.h"

namespace reinstate {

class ConstraintChecks;
class PostgresRecordStream;
class RowChanges;

// The session of a PostgreSQL database, on two connections.
//
// The first has the transaction: REPEATABLE READ, silent triggers, its view taken in Begin after
// all owned tables were locked against changes of their definition, so that the map, which is read
// in that view, stays true until the end. The second reads the same view while the first is busy
// with a stream, and looks for what the view cannot show before the commit (ConstraintChecks).
//
// Each holds a session-level advisory lock of the tenant, taken by a statement of its own: the
// second's makes that no other session comes in between while the first connection, broken by an
// error, is replaced; the first's makes that no session begins before the transaction of the one
// before it has ended, whatever became of its client.
//
// Until it is sealed the transaction gives way (LIVE_CHANGED) to others who wait for a table behind
// its locks.
//
// Tokens are settled as long as the server is not restarted (commit_token.h); afterwards, what
// became of a commit is told by the tenant's rows.
class PostgresSession final : public TenantSession {
 public:
  struct Setup {
    PgOptions connection;  // the application's name is set by the session
    MapConfig config;
    TenantId tenant = TenantId::Ownerless();
    SessionOptions options;
    // Names of tables whose ENABLE ALWAYS or REPLICA triggers and rules may fire.
    std::set<std::string> may_fire;
    // What the store knows of its tables; spares reading it twice.
    std::shared_ptr<const PgTenantMap> map;
    // How much the checks of constraints may keep of keys that were written. Beyond it they read
    // them again from the tables, some of which as a whole.
    size_t check_memory_bytes = 64 << 20;
    // How long others may wait for a table behind the session, e.g. an ALTER TABLE, before its
    // transaction gives way: all of the application may be waiting behind them.
    absl::Duration give_way_after = absl::Seconds(3);
    // Told when the tables turn out to be others; optional.
    std::function<void(std::shared_ptr<const PgTenantMap>)> learned;
    // Where the first connections of sessions come from and go to, and where the second ones do;
    // optional. Apart, since the server forgets what it has planned when triggers become silent.
    PgConnectionPool* main_pool = nullptr;
    PgConnectionPool* second_pool = nullptr;
    LargeChanges* large = nullptr;         // of all sessions of the store; optional
    const Clock* clock = Clock::System();  // of deadlines
    FaultPoints* faults = nullptr;  // live.begin, .apply, .seal, .before_commit, …; optional
  };

  // Connects and takes the locks. TENANT_BUSY if they are not had within
  // setup.options.lock_timeout; what setup.options.should_end gives, once it does; UNSUPPORTED on a
  // standby.
  static absl::StatusOr<std::unique_ptr<PostgresSession>> Open(Setup setup);

  ~PostgresSession() override;

  absl::Status Begin() override;
  absl::StatusOr<std::unique_ptr<RecordStream>> ReadTable(const std::string& table) override;
  absl::StatusOr<std::unique_ptr<RecordStream>> ReadTableUnordered(
      const std::string& table) override;
  absl::StatusOr<std::optional<TenantMap>> Catalog() override;
  absl::StatusOr<std::vector<KeyState>> LookUp(const std::string& table,
                                               std::span<const RowKey> keys) override;
  absl::StatusOr<std::vector<Obstacle>> FindObstacles(std::span<const Change> changes) override;
  absl::Status Apply(const Change& change) override;
  absl::StatusOr<CommitToken> Seal() override;
  std::vector<std::string> Exceptions() const override;
  absl::Status Commit(absl::Time deadline) override;
  absl::Status Rollback() override;
  absl::StatusOr<CommitOutcome> Resolve(const CommitToken& token) override;
  void Cancel() override;

 private:
  explicit PostgresSession(Setup setup);

  // Makes sure that `*place` is a connection with the lock of that name, unless `should_end` says
  // that it is not wanted any more.
  absl::Status Secure(std::unique_ptr<PgConnection>* place, PgConnectionPool* pool,
                      std::string_view lock_name, const ShouldEnd& should_end);
  absl::StatusOr<std::unique_ptr<PgConnection>> ConnectWithLock(PgConnectionPool* pool,
                                                                std::string_view lock_name,
                                                                const ShouldEnd& should_end);
  // Secures main_, within a call: until Cancel, which cannot reach a connection that is not there.
  absl::Status SecureMain();
  static void GiveBack(std::unique_ptr<PgConnection> connection, PgConnectionPool* pool);
  absl::Status TakeLock(PgConnection* connection, std::string_view lock_name);
  absl::Status DoBegin();
  // Begins a transaction with all owned tables of map_ locked, and reads the map anew in its view.
  // False if there are owned tables now that were not locked.
  absl::StatusOr<bool> TryBegin();
  // TABLE_NOT_FOUND; LIVE_CHANGED if it is there, but was not when the transaction began.
  absl::StatusOr<const PgTablePlan*> OwnedPlan(const std::string& table);
  absl::StatusOr<std::unique_ptr<RecordStream>> DoRead(const std::string& table, bool ordered);
  absl::Status DoApply(const Change& change);
  absl::StatusOr<CommitToken> DoSeal();
  absl::StatusOr<CommitOutcome> DoResolve(const CommitToken& token);
  absl::Status CheckConstraints();
  // LIVE_CHANGED if the tables that were written to are not as map_ says any more, given what the
  // catalog's fingerprint is after the last write.
  absl::Status CheckTables(std::string_view fingerprint);
  absl::Status DoCommit(absl::Time deadline);
  // Runs the body of a call; if it fails because the transaction gave way, that is what is said.
  template <typename Body>
  auto Run(SessionPhase::Call call, Body body) -> decltype(body());
  // How rows of `plan` are read: the planner must not loop over a table without an index.
  PlanMode ReadMode(const PgTablePlan& plan) const;
  // Whether the tenant has no row in the table, as far as that costs next to nothing to know.
  absl::StatusOr<bool> IsSurelyEmpty(const PgTablePlan& plan);
  std::string ReadSql(const PgTablePlan& plan, bool ordered);
  // Begins to read the table, and all that will be read after it if that is known.
  absl::Status StartReads(const PgTablePlan& plan, bool ordered);
  // Makes the main connection free of what is being read from it.
  absl::Status EndReads();
  // Makes the main connection free for a statement and sends it what is buffered.
  absl::Status FreeMain();
  // Makes the second connection read what the transaction's view shows.
  absl::Status ShareView();
  // The same, and runs statements in it, as PgConnection::BeginWith.
  absl::StatusOr<std::vector<PgResult>> ShareViewWith(const std::string& statements);
  // The connection on which keys are looked up now.
  absl::StatusOr<PgConnection*> LookUpConnection();
  void EndTransaction();
  absl::Status Hit(std::string_view place) const;

  const Setup setup_;
  SessionPhase phase_;
  WaiterWatch watch_;  // from Begin to Seal

  Mutex mu_;  // held to replace a connection and to cancel one
  std::unique_ptr<PgConnection> main_;
  std::unique_ptr<PgConnection> second_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;

  // Of the transaction:
  std::shared_ptr<const PgTenantMap> map_;
  std::string exported_;                      // the name of its view
  bool second_reads_ = false;                 // the second connection has that view
  std::optional<std::set<PgOid>> empty_;      // what FindEmptyTables found in it, once asked
  std::vector<const PgTablePlan*> read_;      // before its first change, in order
  std::deque<const PgTablePlan*> following_;  // whose rows main_ will give after the present ones
  PostgresRecordStream* stream_ = nullptr;    // that main_ is busy with
  std::unique_ptr<ConstraintChecks> checks_;
  std::unique_ptr<RowChanges> changes_;
  std::string applied_table_;  // of the last change
  const PgTablePlan* applied_plan_ = nullptr;
};

}  // namespace reinstate

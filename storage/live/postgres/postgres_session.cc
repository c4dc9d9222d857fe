#include "storage/live/postgres/postgres_session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/live/postgres/advisory_locks.h"
#include "storage/live/postgres/catalog_fingerprint.h"
#include "storage/live/postgres/commit_token.h"
#include "storage/live/postgres/constraint_checks.h"
#include "storage/live/postgres/empty_tables.h"
#include "storage/live/postgres/key_lookup.h"
#include "storage/live/postgres/obstacle_finder.h"
#include "storage/live/postgres/owned_tables.h"
#include "storage/live/postgres/postgres_record_stream.h"
#include "storage/live/postgres/row_changes.h"
#include "storage/live/postgres/sql_text.h"
#include "storage/live/postgres/write_refusal.h"

namespace reinstate {

using Call = SessionPhase::Call;

namespace {

constexpr std::string_view kMainLock = "transaction";
constexpr std::string_view kSecondLock = "session";
constexpr absl::Duration kFirstPoll = absl::Milliseconds(2);
constexpr absl::Duration kLongestPoll = absl::Milliseconds(50);
constexpr int kBeginAttempts = 4;

// How long the end of a session waits for a server that is silent.
constexpr absl::Duration kGiveBackPatience = absl::Seconds(2);

absl::Status StatusOf(const absl::Status& status) { return status; }

template <typename T>
absl::Status StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

class NoRecords final : public RecordStream {
 public:
  absl::StatusOr<bool> Next(Record* /*record*/) override { return false; }
};

}  // namespace

template <typename Body>
auto PostgresSession::Run(Call call, Body body) -> decltype(body()) {
  return phase_.Run(call, [&]() -> decltype(body()) {
    auto result = body();
    if (result.ok()) {
      return result;
    }
    return watch_.Explain(StatusOf(result));
  });
}

absl::StatusOr<std::unique_ptr<PostgresSession>> PostgresSession::Open(Setup setup) {
  std::unique_ptr<PostgresSession> session(new PostgresSession(std::move(setup)));
  const Setup& its = session->setup_;
  const ShouldEnd& should_end = its.options.should_end;
  RETURN_IF_ERROR(session->Secure(&session->second_, its.second_pool, kSecondLock, should_end));
  RETURN_IF_ERROR(session->Secure(&session->main_, its.main_pool, kMainLock, should_end));
  return session;
}

PostgresSession::PostgresSession(Setup setup)
    : setup_(std::move(setup)),
      watch_(setup_.connection, setup_.give_way_after),
      map_(setup_.map) {}

PostgresSession::~PostgresSession() {
  const absl::Time until = absl::Now() + kGiveBackPatience;
  for (PgConnection* const connection : {main_.get(), second_.get()}) {
    if (connection != nullptr) {
      connection->EndWhen([until] {
        return absl::Now() < until ? absl::OkStatus()
                                   : MakeError(Reason::kSessionLost, "the server is silent");
      });
    }
  }
  EndTransaction();
  GiveBack(std::move(main_), setup_.main_pool);
  GiveBack(std::move(second_), setup_.second_pool);
}

// In a statement, so that the lock is free when it returns. If that fails, the server notices that
// we are gone.
void PostgresSession::GiveBack(std::unique_ptr<PgConnection> connection, PgConnectionPool* pool) {
  if (connection != nullptr && connection->Rollback().ok() && !connection->broken() &&
      connection->Execute("release the lock", "SELECT pg_catalog.pg_advisory_unlock_all()").ok() &&
      pool != nullptr) {
    connection->EndWhen(nullptr);
    pool->Give(std::move(connection));
  }
}

absl::Status PostgresSession::Secure(std::unique_ptr<PgConnection>* place, PgConnectionPool* pool,
                                     std::string_view lock_name, const ShouldEnd& should_end) {
  if (*place != nullptr && !(*place)->broken()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection,
                   ConnectWithLock(pool, lock_name, should_end));
  connection->EndWhen(nullptr);
  MutexLock lock(&mu_);
  if (cancelled_) {
    connection->Cancel();
  }
  *place = std::move(connection);
  return absl::OkStatus();
}

absl::Status PostgresSession::SecureMain() {
  return Secure(&main_, setup_.main_pool, kMainLock, [this] { return phase_.CheckCancelled(); });
}

absl::StatusOr<std::unique_ptr<PgConnection>> PostgresSession::ConnectWithLock(
    PgConnectionPool* pool, std::string_view lock_name, const ShouldEnd& should_end) {
  std::unique_ptr<PgConnection> connection = pool == nullptr ? nullptr : pool->Take();
  if (connection != nullptr && connection->expected_identity() == setup_.connection.identity) {
    connection->EndWhen(should_end);
    const absl::Status locked = TakeLock(connection.get(), lock_name);
    if (locked.ok()) {
      return connection;
    }
    if (!HasReason(locked, Reason::kSessionLost)) {
      return locked;
    }
  }
  ASSIGN_OR_RETURN(connection, PgConnection::Connect(setup_.connection, should_end));
  RETURN_IF_ERROR(TakeLock(connection.get(), lock_name));
  return connection;
}

absl::Status PostgresSession::TakeLock(PgConnection* connection, std::string_view lock_name) {
  const absl::Time until = absl::Now() + setup_.options.lock_timeout;
  const std::string sql = absl::StrCat(
      "SELECT pg_catalog.pg_try_advisory_lock(", TenantLockNumber(setup_.tenant, lock_name),
      "), pg_catalog.pg_try_advisory_lock_shared(", SessionMarkNumber(),
      "), pg_catalog.set_config('application_name', $1, false)");
  const std::vector<PgParam> purpose = {setup_.options.purpose.empty()
                                            ? "reinstate"
                                            : absl::StrCat("reinstate ", setup_.options.purpose)};
  for (absl::Duration poll = kFirstPoll;; poll = std::min(poll * 2, kLongestPoll)) {
    ASSIGN_OR_RETURN(const PgResult result,
                     connection->Query("take the tenant's lock", sql, purpose));
    if (result.GetBool(0, 0)) {
      return absl::OkStatus();
    }
    const absl::Duration left = until - absl::Now();
    if (left <= absl::ZeroDuration()) {
      return MakeError(Reason::kTenantBusy,
                       absl::StrCat("tenant ", Printable(setup_.tenant.value()),
                                    " is in use by another restore or comparison"));
    }
    absl::SleepFor(std::min(poll, left));
  }
}

absl::Status PostgresSession::Hit(std::string_view place) const {
  return setup_.faults == nullptr ? absl::OkStatus() : setup_.faults->Hit(place);
}

absl::Status PostgresSession::Begin() {
  return Run(Call::kBegin, [&] { return DoBegin(); });
}

absl::Status PostgresSession::DoBegin() {
  RETURN_IF_ERROR(Hit("live.begin"));
  EndTransaction();
  if (main_ == nullptr || main_->broken()) {
    // Whether it still has its lock shows when it is used.
    RETURN_IF_ERROR(second_->Execute("look after the lock", "SELECT 1"));
  }
  for (int attempt = 0; attempt < kBeginAttempts; ++attempt) {
    RETURN_IF_ERROR(SecureMain());
    watch_.Begin({main_->backend_pid(), second_->backend_pid()});
    const absl::StatusOr<bool> begun = TryBegin();
    if (!begun.ok()) {
      map_ = nullptr;  // It may be that it names tables which are gone.
      return begun.status();
    }
    if (*begun) {
      checks_ =
          std::make_unique<ConstraintChecks>(map_.get(), setup_.tenant, setup_.check_memory_bytes);
      changes_ = std::make_unique<RowChanges>(RowChanges::Parts{.map = map_.get(),
                                                                .connection = main_.get(),
                                                                .checks = checks_.get(),
                                                                .may_fire = setup_.may_fire,
                                                                .large = setup_.large},
                                              setup_.tenant);
      return absl::OkStatus();
    }
    second_reads_ = false;
    RETURN_IF_ERROR(second_->Rollback());
    RETURN_IF_ERROR(main_->Rollback());
  }
  return MakeError(Reason::kLiveChanged, "tables are being created all the time");
}

absl::StatusOr<bool> PostgresSession::TryBegin() {
  const std::set<PgOid> locked = OwnedTables(map_.get());
  const std::string lock = LockOwnedTables(map_.get());
  ASSIGN_OR_RETURN(const std::vector<PgResult> view,
                   main_->BeginWith({.repeatable_read = true, .read_only = false, .silent = true},
                                    "lock the definition of the tables and take a view",
                                    absl::StrCat(lock, lock.empty() ? "" : "; ",
                                                 "SELECT pg_catalog.pg_export_snapshot()")));
  exported_ = std::string(view.back().Get(0, 0));
  if (map_ != nullptr) {
    // By the second connection: what the server has planned for the first one it forgets whenever
    // triggers become silent.
    ASSIGN_OR_RETURN(const std::string ask, CatalogFingerprintSql(second_.get()));
    ASSIGN_OR_RETURN(const std::vector<PgResult> found, ShareViewWith(ask));
    if (found.back().Get(0, 0) == map_->catalog().fingerprint) {
      return true;
    }
  }
  ASSIGN_OR_RETURN(PgCatalog catalog, ReadCatalog(main_.get()));
  ASSIGN_OR_RETURN(PgTenantMap map, PgTenantMap::Make(std::move(catalog), setup_.config));
  map_ = std::make_shared<const PgTenantMap>(std::move(map));
  if (setup_.learned != nullptr) {
    setup_.learned(map_);
  }
  const std::set<PgOid> owned = OwnedTables(map_.get());
  return std::includes(locked.begin(), locked.end(), owned.begin(), owned.end());
}

absl::StatusOr<const PgTablePlan*> PostgresSession::OwnedPlan(const std::string& table) {
  if (const PgTablePlan* const plan = FindOwned(*map_, table); plan != nullptr) {
    return plan;
  }
  // It may have come after the view.
  second_reads_ = false;
  RETURN_IF_ERROR(second_->Begin({.repeatable_read = false, .read_only = true}));
  ASSIGN_OR_RETURN(PgCatalog catalog, ReadCatalog(second_.get()));
  ASSIGN_OR_RETURN(const PgTenantMap now, PgTenantMap::Make(std::move(catalog), setup_.config));
  if (FindOwned(now, table) != nullptr) {
    return MakeError(Reason::kLiveChanged,
                     absl::StrCat("the table with the identity ", Printable(table),
                                  " came after the restore began"));
  }
  return MakeError(
      Reason::kTableNotFound,
      absl::StrCat("the store has no owned table with the identity ", Printable(table)));
}

PlanMode PostgresSession::ReadMode(const PgTablePlan& plan) const {
  const PgTable* child = &map_->Table(plan);
  for (const PathStep& step : plan.path) {
    if (!child->HasIndexOn(step.child_columns)) {
      return PlanMode::kWhole;
    }
    child = map_->catalog().Find(step.parent);
  }
  return PlanMode::kFree;
}

absl::StatusOr<bool> PostgresSession::IsSurelyEmpty(const PgTablePlan& plan) {
  if (changes_->any()) {
    return false;
  }
  if (!empty_.has_value()) {
    RETURN_IF_ERROR(ShareView());
    ASSIGN_OR_RETURN(empty_, FindEmptyTables(*map_, setup_.tenant, second_.get()));
  }
  return empty_->contains(plan.table);
}

absl::Status PostgresSession::EndReads() {
  if (stream_ != nullptr) {
    RETURN_IF_ERROR(stream_->ReadAhead());
  }
  if (main_->copies_left() > 0) {
    RETURN_IF_ERROR(main_->NextCopyOut("read on"));
    RETURN_IF_ERROR(main_->DropLines());
  }
  return absl::OkStatus();
}

absl::Status PostgresSession::FreeMain() {
  RETURN_IF_ERROR(EndReads());
  return changes_->Flush();
}

absl::StatusOr<std::unique_ptr<RecordStream>> PostgresSession::ReadTable(const std::string& table) {
  return Run(Call::kRead, [&] { return DoRead(table, /*ordered=*/true); });
}

absl::StatusOr<std::unique_ptr<RecordStream>> PostgresSession::ReadTableUnordered(
    const std::string& table) {
  return Run(Call::kRead, [&] { return DoRead(table, /*ordered=*/false); });
}

absl::StatusOr<std::optional<TenantMap>> PostgresSession::Catalog() {
  return Run(Call::kRead, [&]() -> absl::StatusOr<std::optional<TenantMap>> {
    TenantMap tables = map_->ToTenantMap();
    AddRefusals(*map_, setup_.may_fire, &tables);
    return tables;
  });
}

std::string PostgresSession::ReadSql(const PgTablePlan& plan, bool ordered) {
  const std::string select = map_->RowSelect(plan, map_->OwnedBySql(plan, setup_.tenant), ordered);
  return absl::StrCat(Absl(main_->OnceSet(PlanModeSql(ReadMode(plan)))), "COPY (", select,
                      ") TO STDOUT");
}

// Who reads a table again after writing, to sum it, reads all again that were read before.
absl::Status PostgresSession::StartReads(const PgTablePlan& plan, bool ordered) {
  const std::string doing = absl::StrCat("read table ", map_->Table(plan).DisplayName());
  const bool again = changes_->any() && !ordered && !read_.empty() && read_.front() == &plan;
  if (!again) {
    return main_->StartCopyOut(doing, ReadSql(plan, ordered));
  }
  following_.assign(read_.begin() + 1, read_.end());
  std::vector<std::string> statements;
  for (const PgTablePlan* const one : read_) {
    statements.push_back(ReadSql(*one, ordered));
  }
  return main_->StartCopyOut(doing, absl::StrJoin(statements, "; "), statements.size());
}

absl::StatusOr<std::unique_ptr<RecordStream>> PostgresSession::DoRead(const std::string& table,
                                                                      bool ordered) {
  ASSIGN_OR_RETURN(const PgTablePlan* const plan, OwnedPlan(table));
  if (!changes_->any() && std::find(read_.begin(), read_.end(), plan) == read_.end()) {
    read_.push_back(plan);
  }
  ASSIGN_OR_RETURN(const bool is_empty, IsSurelyEmpty(*plan));
  if (is_empty) {
    return std::make_unique<NoRecords>();
  }
  if (stream_ == nullptr && !ordered && main_->copies_left() > 0 && following_.front() == plan) {
    following_.pop_front();
    RETURN_IF_ERROR(
        main_->NextCopyOut(absl::StrCat("read table ", map_->Table(*plan).DisplayName())));
  } else {
    RETURN_IF_ERROR(FreeMain());
    RETURN_IF_ERROR(StartReads(*plan, ordered));
  }
  return std::make_unique<PostgresRecordStream>(main_.get(), map_->Layout(*plan), &stream_);
}

absl::StatusOr<PgConnection*> PostgresSession::LookUpConnection() {
  if (stream_ == nullptr || changes_->any()) {
    RETURN_IF_ERROR(FreeMain());
    return main_.get();
  }
  RETURN_IF_ERROR(ShareView());
  return second_.get();
}

absl::Status PostgresSession::ShareView() {
  return second_reads_ ? absl::OkStatus() : ShareViewWith("").status();
}

absl::StatusOr<std::vector<PgResult>> PostgresSession::ShareViewWith(
    const std::string& statements) {
  ASSIGN_OR_RETURN(
      std::vector<PgResult> found,
      second_->BeginWith(
          {.repeatable_read = true, .read_only = true}, "take the same view",
          absl::StrCat("SET TRANSACTION SNAPSHOT ", QuoteLiteral(exported_), "; ", statements)));
  second_reads_ = true;
  return found;
}

absl::StatusOr<std::vector<KeyState>> PostgresSession::LookUp(const std::string& table,
                                                              std::span<const RowKey> keys) {
  return Run(Call::kRead, [&]() -> absl::StatusOr<std::vector<KeyState>> {
    ASSIGN_OR_RETURN(const PgTablePlan* const plan, OwnedPlan(table));
    ASSIGN_OR_RETURN(PgConnection* const connection, LookUpConnection());
    return LookUpKeys(*map_, *plan, setup_.tenant, keys, connection);
  });
}

absl::StatusOr<std::vector<Obstacle>> PostgresSession::FindObstacles(
    std::span<const Change> changes) {
  return Run(Call::kRead, [&]() -> absl::StatusOr<std::vector<Obstacle>> {
    ASSIGN_OR_RETURN(PgConnection* const connection, LookUpConnection());
    return reinstate::FindObstacles(*map_, setup_.tenant, changes, connection);
  });
}

absl::Status PostgresSession::Apply(const Change& change) {
  return Run(Call::kApply, [&] { return DoApply(change); });
}

absl::Status PostgresSession::DoApply(const Change& change) {
  RETURN_IF_ERROR(Hit("live.apply"));
  // Changes come a table at a time.
  if (applied_plan_ == nullptr || change.table != applied_table_) {
    ASSIGN_OR_RETURN(applied_plan_, OwnedPlan(change.table));
    applied_table_ = change.table;
  }
  RETURN_IF_ERROR(EndReads());
  return changes_->Add(*applied_plan_, change);
}

absl::StatusOr<CommitToken> PostgresSession::Seal() {
  return Run(Call::kSeal, [&] { return DoSeal(); });
}

absl::StatusOr<CommitToken> PostgresSession::DoSeal() {
  RETURN_IF_ERROR(Hit("live.seal"));
  RETURN_IF_ERROR(FreeMain());
  if (changes_->any()) {
    RETURN_IF_ERROR(CheckConstraints());
    RETURN_IF_ERROR(
        changes_->CheckOwners([this](const PgTablePlan& plan) { return ReadMode(plan); }));
  } else {
    second_reads_ = false;
    RETURN_IF_ERROR(second_->Rollback());
  }
  // From here on it takes no longer than a commit.
  RETURN_IF_ERROR(watch_.End());
  return MakeCommitToken(main_.get());
}

std::vector<std::string> PostgresSession::Exceptions() const {
  return checks_ == nullptr ? std::vector<std::string>() : checks_->Exceptions();
}

// All that the second connection has to tell in most cases it is asked for at once.
absl::Status PostgresSession::CheckConstraints() {
  second_reads_ = false;
  std::vector<std::string> ask = checks_->SequencesSql();
  ASSIGN_OR_RETURN(std::string fingerprint, CatalogFingerprintSql(second_.get()));
  ask.insert(ask.begin(), std::move(fingerprint));
  ask.push_back("ROLLBACK");
  ASSIGN_OR_RETURN(const std::vector<PgResult> found,
                   second_->BeginWith({.repeatable_read = false, .read_only = true},
                                      "look for what has changed since the restore began",
                                      absl::StrJoin(ask, "; ")));
  RETURN_IF_ERROR(CheckTables(found.front().Get(0, 0)));
  RETURN_IF_ERROR(checks_->Check(
      {.main = main_.get(), .second = second_.get(), .patience = setup_.connection.lock_timeout},
      std::span(found).subspan(1)));
  return second_->Rollback();
}

// A foreign key can be added to a table, or a trigger enabled, until the first row is written to
// it. From then on our lock is in the way, so that what has been added by now is all there will be.
absl::Status PostgresSession::CheckTables(std::string_view fingerprint) {
  if (fingerprint == map_->catalog().fingerprint) {
    return absl::OkStatus();
  }
  // It is another one also when something has come or gone that is nothing to what was written.
  RETURN_IF_ERROR(second_->Begin({.repeatable_read = false, .read_only = true}));
  ASSIGN_OR_RETURN(const PgCatalog now, ReadCatalog(second_.get()));
  return SameTables(now, map_->catalog(), changes_->Tables())
             ? absl::OkStatus()
             : MakeError(Reason::kLiveChanged,
                         "tables that the restore writes to were changed while it went on");
}

absl::Status PostgresSession::Commit(absl::Time deadline) {
  return phase_.Run(Call::kCommit, [&] { return DoCommit(deadline); });
}

absl::Status PostgresSession::DoCommit(absl::Time deadline) {
  RETURN_IF_ERROR(EndReads());
  RETURN_IF_ERROR(Hit("live.before_commit"));
  RETURN_IF_ERROR(main_->Commit(deadline, setup_.clock));
  EndTransaction();
  if (const absl::Status fault = Hit("live.after_commit"); !fault.ok()) {
    return MakeError(Reason::kCommitUnknown, "the answer to the commit was lost");
  }
  return absl::OkStatus();
}

void PostgresSession::EndTransaction() {
  // Whether it gave way is said by who found it.
  watch_.End().IgnoreError();
  changes_ = nullptr;
  checks_ = nullptr;
  stream_ = nullptr;
  applied_plan_ = nullptr;
  empty_.reset();
  read_.clear();
  if (second_ != nullptr) {
    // If it fails, the connection is broken, which the next call on it says.
    second_->Rollback().IgnoreError();
  }
  second_reads_ = false;
}

absl::Status PostgresSession::Rollback() {
  EndTransaction();
  if (main_ != nullptr && !main_->Rollback().ok()) {
    // It is closed now, and the server gives up what it had.
    MutexLock lock(&mu_);
    main_ = nullptr;
  }
  phase_.RolledBack();
  MutexLock lock(&mu_);
  return second_->broken() && !cancelled_
             ? MakeError(Reason::kSessionLost, "the lock of the tenant was lost")
             : absl::OkStatus();
}

absl::StatusOr<CommitOutcome> PostgresSession::Resolve(const CommitToken& token) {
  return phase_.Run(Call::kResolve, [&] { return DoResolve(token); });
}

absl::StatusOr<CommitOutcome> PostgresSession::DoResolve(const CommitToken& token) {
  // Who has the lock of transactions knows that the one of the token has ended.
  RETURN_IF_ERROR(SecureMain());
  return ResolveCommitToken(token, second_.get());
}

void PostgresSession::Cancel() {
  phase_.Cancel();
  MutexLock lock(&mu_);
  cancelled_ = true;
  for (PgConnection* const connection : {main_.get(), second_.get()}) {
    if (connection != nullptr) {
      connection->Cancel();
    }
  }
}

}  // namespace reinstate

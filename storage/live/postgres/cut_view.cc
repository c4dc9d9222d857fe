#include "storage/live/postgres/cut_view.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/postgres/role_checks.h"
#include "storage/live/postgres/sql_text.h"

namespace reinstate {
namespace {

// How often the tables may change while a view is being taken.
constexpr int kMaxAttempts = 5;

// Paths are hash joins with whole tables; with the usual 4 MB they would write most of both sides
// to temporary files.
constexpr const char* kRoomForJoins = "; SET LOCAL work_mem = '64MB'";

// libpq reads at once what its buffer has room for: 16 KiB, until a larger row has come. That takes
// 3 % more of the processors' time in a snapshot than with the 256 KiB that this row leaves behind.
constexpr const char* kRoomForLines = "; SELECT pg_catalog.repeat(' ', 131072)";

// The end of a view waits for its watcher.
constexpr absl::Duration kWatchTimeout = absl::Seconds(10);

bool IsCaptured(const PgTablePlan& plan) {
  return plan.relation == Relation::kOwned || plan.relation == Relation::kUnresolved;
}

// What is read, and so has to be locked: leaves as well.
std::set<PgOid> CapturedHeaps(const PgTenantMap& map) {
  std::set<PgOid> heaps;
  for (const PgTablePlan& plan : map.plans()) {
    if (IsCaptured(plan)) {
      heaps.insert(plan.table);
      for (const PgHeap& heap : map.Table(plan).heaps) {
        heaps.insert(heap.oid);
      }
    }
  }
  return heaps;
}

// LOCK TABLE takes no snapshot, so that what comes after it sees all that was committed before. Of
// a partitioned table it locks the leaves too.
std::string LockSql(const PgTenantMap& map) {
  std::vector<std::string> tables;
  for (const PgTablePlan& plan : map.plans()) {
    if (IsCaptured(plan)) {
      const PgTable& table = map.Table(plan);
      tables.push_back(absl::StrCat(table.kind == 'p' ? "" : "ONLY ", table.Sql()));
    }
  }
  return tables.empty()
             ? ""
             : absl::StrCat("LOCK TABLE ", absl::StrJoin(tables, ", "), " IN ACCESS SHARE MODE");
}

}  // namespace

CutView::Lease::~Lease() {
  if (connection_ == nullptr) {
    return;
  }
  if (busy_ || connection_->broken()) {
    view_->Close(std::move(connection_));
    return;
  }
  MutexLock lock(&view_->mu_);
  view_->idle_.push_back(std::move(connection_));
}

CutView::CutView(const PostgresStoreOptions& options)
    : options_(options),
      name_(absl::StrCat("reinstate cut ", absl::ToUnixMicros(absl::Now()), " ",
                         reinterpret_cast<uintptr_t>(this))),
      connecting_(options.connection) {
  connecting_.application_name = name_;
  connecting_.silence_timeout = options.scan_timeout;
}

CutView::~CutView() { watch_ = nullptr; }

absl::StatusOr<std::unique_ptr<CutView>> CutView::Open(const PostgresStoreOptions& options) {
  std::unique_ptr<CutView> view(new CutView(options));
  ASSIGN_OR_RETURN(view->exporter_, view->Connect());
  RETURN_IF_ERROR(CheckRole(view->exporter_.get(), options.allow_superuser));
  RETURN_IF_ERROR(view->TakeView());
  const absl::Duration interval =
      std::clamp(options.give_way_after / 3, absl::Milliseconds(20), absl::Seconds(1));
  view->watch_ =
      std::make_unique<PeriodicThread>(interval, [watched = view.get()] { watched->Watch(); });
  return view;
}

absl::StatusOr<std::unique_ptr<PgConnection>> CutView::Connect() {
  ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection, PgConnection::Connect(connecting_));
  MutexLock lock(&mu_);
  pids_.insert(connection->backend_pid());
  return connection;
}

void CutView::Close(std::unique_ptr<PgConnection> connection) {
  // Before it is closed: afterwards the number may be somebody else's.
  {
    MutexLock lock(&mu_);
    pids_.erase(connection->backend_pid());
  }
  connection = nullptr;
}

absl::StatusOr<PgTenantMap> CutView::ReadMap(PgConnection* connection) const {
  ASSIGN_OR_RETURN(PgCatalog catalog, ReadCatalog(connection));
  return PgTenantMap::Make(std::move(catalog), options_.map);
}

absl::Status CutView::TakeView() {
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    const absl::StatusOr<bool> taken = TryTakeView();
    if (HasReason(taken.status(), Reason::kLiveChanged)) {
      return MakeError(Reason::kUnavailable,
                       absl::StrCat("No view of the database was had, since its tables are being "
                                    "changed; try again. ",
                                    taken.status().message()));
    }
    RETURN_IF_ERROR(taken.status());
    if (*taken) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(exporter_->Rollback());
  }
  return MakeError(Reason::kUnavailable,
                   "No view of the database was had, since tables came and went all the time; try "
                   "again.");
}

// False if what is to be captured changed in between.
absl::StatusOr<bool> CutView::TryTakeView() {
  RETURN_IF_ERROR(exporter_->Begin({.repeatable_read = false, .read_only = true}));
  ASSIGN_OR_RETURN(const PgTenantMap before, ReadMap(exporter_.get()));
  RETURN_IF_ERROR(exporter_->Rollback());
  RETURN_IF_ERROR(CheckReadable(before));

  RETURN_IF_ERROR(exporter_->Begin({.repeatable_read = true, .read_only = true}));
  if (const std::string lock = LockSql(before); !lock.empty()) {
    RETURN_IF_ERROR(exporter_->Execute("lock the tables for reading", lock));
  }
  ASSIGN_OR_RETURN(const PgResult exported,
                   exporter_->Query("take a view", "SELECT pg_catalog.pg_export_snapshot()"));
  exported_ = std::string(exported.Get(0, 0));
  RETURN_IF_ERROR(ReadInstant());
  ASSIGN_OR_RETURN(PgTenantMap map, ReadMap(exporter_.get()));
  if (CapturedHeaps(map) != CapturedHeaps(before)) {
    return false;
  }
  map_ = std::move(map);
  return true;
}

// After the view was taken: now() is the begin of the transaction, before it.
absl::Status CutView::ReadInstant() {
  ASSIGN_OR_RETURN(const PgResult standby,
                   exporter_->Query("look for a standby", "SELECT pg_catalog.pg_is_in_recovery()"));
  if (standby.GetBool(0, 0)) {
    return MakeError(Reason::kUnsupported,
                     absl::StrCat("The server at ", exporter_->address(),
                                  " is a standby; give the address of the primary."));
  }
  ASSIGN_OR_RETURN(
      const PgResult now,
      exporter_->Query(
          "read the instant",
          "SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint, l, "
          "pg_catalog.left(pg_catalog.pg_walfile_name(l), 8) FROM pg_catalog.pg_current_wal_lsn() "
          "l"));
  instant_ = absl::FromUnixMicros(now.GetInt(0, 0));
  position_ =
      absl::StrCat("timeline ", std::string(now.Get(0, 2)), ", ", std::string(now.Get(0, 1)));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<CutView::Lease>> CutView::Take() {
  RETURN_IF_ERROR(Explain(absl::OkStatus()));
  {
    MutexLock lock(&mu_);
    if (!idle_.empty()) {
      auto lease = std::make_unique<Lease>(this, std::move(idle_.back()));
      idle_.pop_back();
      return lease;
    }
  }
  ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection, Connect());
  auto lease = std::make_unique<Lease>(this, std::move(connection));
  lease->set_busy(true);
  RETURN_IF_ERROR(Explain((*lease)->Begin({.repeatable_read = true, .read_only = true})));
  const absl::Status joined = (*lease)->Execute(
      "join the view", absl::StrCat("SET TRANSACTION SNAPSHOT ", QuoteLiteral(exported_),
                                    kRoomForJoins, kRoomForLines));
  if (!joined.ok()) {
    return Explain(MakeError(Reason::kSessionLost,
                             absl::StrCat("The view of the database is gone, since the connection "
                                          "that held it broke: ",
                                          joined.message())));
  }
  lease->set_busy(false);
  return lease;
}

absl::Status CutView::Explain(const absl::Status& status) const {
  MutexLock lock(&mu_);
  return given_up_.ok() ? status : given_up_;
}

// A failure to look is no reason to give up the view; the next look makes a new connection.
void CutView::Watch() {
  if (!LookForWaiters().ok()) {
    watcher_ = nullptr;
  }
}

absl::Status CutView::LookForWaiters() {
  if (watcher_ == nullptr) {
    PgOptions options = options_.connection;
    options.application_name = "reinstate watch";
    options.silence_timeout = kWatchTimeout;
    ASSIGN_OR_RETURN(watcher_, PgConnection::Connect(options));
  }
  std::string pids;
  {
    MutexLock lock(&mu_);
    pids = absl::StrCat("{", absl::StrJoin(pids_, ","), "}");
  }
  ASSIGN_OR_RETURN(
      const PgResult waiting,
      watcher_->Query("look who waits behind the cut",
                      "SELECT count(*), coalesce((extract(epoch FROM pg_catalog.clock_timestamp() "
                      "- min(l.waitstart)) * 1000)::bigint, 0) FROM pg_catalog.pg_locks l "
                      "WHERE NOT l.granted AND pg_catalog.pg_blocking_pids(l.pid) && $1::int[]",
                      {pids}));
  if (absl::Milliseconds(waiting.GetInt(0, 1)) < options_.give_way_after) {
    return absl::OkStatus();
  }
  {
    MutexLock lock(&mu_);
    given_up_ = MakeError(
        Reason::kSessionLost,
        absl::StrCat("The cut gave way after ", waiting.GetInt(0, 1) / 1000, " s to ",
                     waiting.GetInt(0, 0),
                     " sessions of the database that waited behind its locks, such as an ALTER "
                     "TABLE. Take the snapshot again once that is done."));
  }
  return watcher_
      ->Query("give way",
              "SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a "
              "WHERE a.pid = ANY ($1::int[]) AND a.application_name = $2",
              {pids, name_})
      .status();
}

}  // namespace reinstate

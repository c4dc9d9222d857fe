#include "storage/live/postgres/postgres_store.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/live/postgres/map_proposals.h"
#include "storage/live/postgres/postgres_cut.h"
#include "storage/live/postgres/postgres_session.h"
#include "storage/live/postgres/role_checks.h"
#include "storage/live/postgres/row_codec.h"
#include "storage/live/postgres/sql_text.h"
#include "storage/live/postgres/tenant_rows.h"
#include "storage/live/postgres/write_refusal.h"

namespace reinstate {
namespace {

// Estimates may be by a map that is this old; a session reads its own.
constexpr absl::Duration kMapIsRecent = absl::Minutes(1);

// Lines of a tenant's id and its number of rows.
class CountStream final : public TenantCountStream {
 public:
  explicit CountStream(std::unique_ptr<PgConnection> connection)
      : connection_(std::move(connection)) {}

  absl::StatusOr<bool> Next(TenantCount* count) override {
    RETURN_IF_ERROR(status_);
    if (ended_) {
      return false;
    }
    status_ = ReadOne(count);
    RETURN_IF_ERROR(status_);
    return !ended_;
  }

 private:
  absl::Status ReadOne(TenantCount* count) {
    std::string_view line;
    ASSIGN_OR_RETURN(const bool more, connection_->NextLine(&line));
    if (!more) {
      ended_ = true;
      return absl::OkStatus();
    }
    std::vector<std::string_view> fields;
    SplitCopyLine(line, &fields);
    std::string tenant;
    int64_t rows = 0;
    if (fields.size() != 2 || !AppendCopyValue(fields[0], &tenant) ||
        std::from_chars(fields[1].data(), fields[1].data() + fields[1].size(), rows).ec !=
            std::errc()) {
      return MakeError(Reason::kCorrupt, "A count that the server sent is not as COPY writes it.");
    }
    *count = {.tenant = TenantId::FromStored(std::move(tenant)), .rows = rows};
    return absl::OkStatus();
  }

  const std::unique_ptr<PgConnection> connection_;
  bool ended_ = false;
  absl::Status status_;
};

// One statement, so one view. Grouped by the value first: comparing texts of every row is slower.
std::string CountSql(const PgTenantMap& map) {
  std::vector<std::string> selects;
  for (const PgTablePlan& plan : map.plans()) {
    if (plan.relation == Relation::kOwned) {
      selects.push_back(absl::StrCat("SELECT ", map.OwnerSql(plan),
                                     " AS owner, count(*) AS rows FROM ", map.FromSql(plan),
                                     " GROUP BY 1"));
    }
  }
  if (selects.empty()) {
    return "SELECT '', 0 WHERE false";
  }
  return absl::StrCat("SELECT o.owner::text, sum(o.rows)::bigint FROM (",
                      absl::StrJoin(selects, " UNION ALL "),
                      ") o WHERE o.owner IS NOT NULL GROUP BY o.owner "
                      "ORDER BY o.owner::text COLLATE \"C\"");
}

// The number after `name` in a line of EXPLAIN, e.g. "(cost=0.00..35.50 rows=10 width=4)".
double PlannedNumber(std::string_view line, std::string_view name) {
  const size_t at = line.find(name);
  if (at == std::string_view::npos) {
    return 0;
  }
  return std::strtod(std::string(line.substr(at + name.size())).c_str(), nullptr);
}

absl::Status NotAnId(const PgTenantMap& map) {
  return MakeError(Reason::kTenantIdInvalid,
                   absl::StrCat("That is not an id of this store, whose tenants have ids of the "
                                "type ",
                                map.tenant_type(), "."));
}

// Whether an error is that a text is no value of a type.
bool IsOfBadValue(const PgConnection& connection) {
  return connection.server_error().sqlstate.starts_with("22");
}

// Writes `*tenant` as the server writes it: under two spellings, one tenant would have two locks.
absl::Status Respell(const PgTenantMap& map, PgConnection* connection, TenantId* tenant) {
  const absl::StatusOr<PgResult> written = connection->Query(
      "look at the tenant's id",
      absl::StrCat("SELECT ", CastLiteral(tenant->value(), map.tenant_type()), "::text"));
  if (!written.ok()) {
    return IsOfBadValue(*connection) ? NotAnId(map) : written.status();
  }
  // E.g. a text of blanks only, of a type that does not keep them.
  const absl::StatusOr<TenantId> respelled = TenantId::Parse(written->Get(0, 0));
  if (!respelled.ok()) {
    return NotAnId(map);
  }
  *tenant = *respelled;
  return absl::OkStatus();
}

// Whether a path can lead any row of `plan` to the tenant: the planner takes a tenant that has no
// parents for one of average size. True if it cannot be told by an index.
absl::StatusOr<bool> MayOwn(const PgTenantMap& map, const PgTablePlan& plan, const TenantId& tenant,
                            PgConnection* connection) {
  const PgTablePlan* const parent =
      plan.path.empty() ? nullptr : map.Find(absl::StrCat(plan.path.back().parent));
  if (parent == nullptr || !parent->by_own_column() ||
      !map.Table(*parent).HasIndexOn({parent->owner_column})) {
    return true;
  }
  ASSIGN_OR_RETURN(
      const PgResult any,
      connection->Query("estimate the tenant's size",
                        absl::StrCat("SELECT EXISTS (SELECT FROM ", map.FromSql(*parent), " WHERE ",
                                     map.OwnedBySql(*parent, tenant), ")")));
  return any.GetBool(0, 0);
}

absl::Status EstimateWith(const PgTenantMap& map, const TenantId& tenant, PgConnection* connection,
                          SizeEstimate* estimate) {
  double rows = 0;
  double bytes = 0;
  for (const PgTablePlan& plan : map.plans()) {
    if (plan.relation != Relation::kOwned) {
      continue;
    }
    const absl::StatusOr<PgResult> plans = connection->Query(
        "estimate the tenant's size", absl::StrCat("EXPLAIN SELECT t.* FROM ", map.FromSql(plan),
                                                   " WHERE ", map.OwnedBySql(plan, tenant)));
    if (!plans.ok()) {
      return IsOfBadValue(*connection) ? NotAnId(map) : plans.status();
    }
    ASSIGN_OR_RETURN(const bool may_own, MayOwn(map, plan, tenant, connection));
    if (!may_own) {
      continue;
    }
    // The planner never says less than one row, so that one may be none.
    const double planned = PlannedNumber(plans->Get(0, 0), "rows=");
    const double of_table = planned > 1 ? planned : 0;
    rows += of_table;
    bytes += of_table * PlannedNumber(plans->Get(0, 0), "width=");
  }
  *estimate = {.rows = static_cast<int64_t>(rows), .bytes = static_cast<int64_t>(bytes)};
  return absl::OkStatus();
}

// Of a question that is not asked in a session: none is lost with its connection.
absl::Status WithoutSession(const absl::Status& status) {
  return HasReason(status, Reason::kSessionLost)
             ? MakeError(Reason::kUnavailable, Std(status.message()))
             : status;
}

}  // namespace

std::unique_ptr<PostgresStore> PostgresStore::Create(PostgresStoreOptions options) {
  return std::unique_ptr<PostgresStore>(new PostgresStore(std::move(options)));
}

PostgresStore::PostgresStore(PostgresStoreOptions options)
    : options_(std::move(options)),
      connecting_(options_.connection),
      health_({.connection = options_.connection,
               .allow_superuser = options_.allow_superuser,
               .limits = options_.health,
               .clock = options_.clock}) {
  connecting_.application_name = "reinstate";
}

PostgresStore::~PostgresStore() = default;

StoreCapabilities PostgresStore::Capabilities() const {
  return {.resolves_tokens = false, .keys_span_tenants = true};
}

absl::StatusOr<std::unique_ptr<PgConnection>> PostgresStore::Connect(
    const ShouldEnd& should_end) const {
  ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection,
                   PgConnection::Connect(connecting_, should_end));
  RETURN_IF_ERROR(CheckRole(connection.get(), options_.allow_superuser));
  return connection;
}

absl::Status PostgresStore::Ask(const Question& question, const ShouldEnd& should_end) {
  std::unique_ptr<PgConnection> connection = of_questions_.Take();
  absl::Status answered;
  if (connection != nullptr) {
    connection->EndWhen(should_end);
    answered = question(connection.get());
  }
  if (connection == nullptr || HasReason(answered, Reason::kSessionLost)) {
    absl::StatusOr<std::unique_ptr<PgConnection>> connected = Connect(should_end);
    if (!connected.ok()) {
      return WithoutSession(connected.status());
    }
    connection = *std::move(connected);
    answered = question(connection.get());
  }
  if (connection->Rollback().ok()) {
    connection->EndWhen(nullptr);
    of_questions_.Give(std::move(connection));
  }
  return WithoutSession(answered);
}

absl::Status PostgresStore::AskInTransaction(const Question& question,
                                             const ShouldEnd& should_end) {
  return Ask(
      [&question](PgConnection* connection) -> absl::Status {
        RETURN_IF_ERROR(connection->Begin({.repeatable_read = true, .read_only = true}));
        return question(connection);
      },
      should_end);
}

absl::StatusOr<StoreIdentity> PostgresStore::IdentityUnless(const ShouldEnd& should_end) {
  StoreIdentity identity;
  RETURN_IF_ERROR(Ask(
      [&identity](PgConnection* connection) -> absl::Status {
        ASSIGN_OR_RETURN(identity.id, connection->ReadIdentity());
        identity.address = connection->address();
        return absl::OkStatus();
      },
      should_end));
  return identity;
}

void PostgresStore::Expect(const std::string& identity) {
  MutexLock lock(&mu_);
  expected_identity_ = identity;
}

std::string PostgresStore::ExpectedIdentity() {
  MutexLock lock(&mu_);
  return expected_identity_;
}

absl::Status PostgresStore::ReadMapWith(PgConnection* connection,
                                        std::shared_ptr<const PgTenantMap>* map) {
  ASSIGN_OR_RETURN(PgCatalog catalog, ReadCatalog(connection));
  ASSIGN_OR_RETURN(PgTenantMap made, PgTenantMap::Make(std::move(catalog), options_.map));
  RETURN_IF_ERROR(CheckMayFire(made.catalog(), options_.may_fire));
  *map = std::make_shared<const PgTenantMap>(std::move(made));
  Remember(*map);
  return absl::OkStatus();
}

void PostgresStore::Remember(std::shared_ptr<const PgTenantMap> map) {
  MutexLock lock(&mu_);
  map_ = std::move(map);
  map_time_ = options_.clock->Now();
}

absl::StatusOr<std::shared_ptr<const PgTenantMap>> PostgresStore::ReadMapUnless(
    const ShouldEnd& should_end) {
  std::shared_ptr<const PgTenantMap> map;
  RETURN_IF_ERROR(AskInTransaction(
      [this, &map](PgConnection* connection) { return ReadMapWith(connection, &map); },
      should_end));
  return map;
}

absl::StatusOr<std::shared_ptr<const PgTenantMap>> PostgresStore::RecentMap(
    const ShouldEnd& should_end) {
  {
    MutexLock lock(&mu_);
    if (map_ != nullptr && absl::AbsDuration(options_.clock->Now() - map_time_) < kMapIsRecent) {
      return map_;
    }
  }
  return ReadMapUnless(should_end);
}

absl::StatusOr<TenantMap> PostgresStore::Catalog() {
  ASSIGN_OR_RETURN(const std::shared_ptr<const PgTenantMap> map, ReadMap());
  TenantMap tables = map->ToTenantMap();
  AddRefusals(*map, options_.may_fire, &tables);
  return tables;
}

absl::StatusOr<StoreDiscovery> PostgresStore::Discover() {
  ASSIGN_OR_RETURN(const std::shared_ptr<const PgTenantMap> map, ReadMap());
  ASSIGN_OR_RETURN(StoreDiscovery discovery, ProposeMap(map->catalog(), options_.map));
  AddRefusals(*map, options_.may_fire, &discovery.map);
  for (size_t i = 0; i < discovery.findings.size(); ++i) {
    if (const std::string& refusal = discovery.map.tables[i].write_refusal; !refusal.empty()) {
      discovery.findings[i].remarks.push_back(absl::StrCat("cannot be restored: ", refusal));
    }
    if (const std::string& refusal = discovery.map.tables[i].replace_refusal; !refusal.empty()) {
      discovery.findings[i].remarks.push_back(
          absl::StrCat("rows cannot be replaced or deleted: ", refusal));
    }
  }
  return discovery;
}

absl::StatusOr<std::unique_ptr<Cut>> PostgresStore::OpenCut(const CutOptions& options) {
  if (options_.map.tenant_table.empty() && options_.map.tenant_columns.empty() &&
      options_.map.owner_expressions.empty()) {
    return MakeError(
        Reason::kTableUnresolved,
        "Nothing says yet how the tables relate to tenants. `reinstate store discover` "
        "looks at them and writes the configuration.");
  }
  PostgresStoreOptions cutting = options_;
  cutting.connection.identity = ExpectedIdentity();
  return PostgresCut::Open(cutting, options.max_shards);
}

absl::StatusOr<TenantId> PostgresStore::CanonicalTenant(const TenantId& tenant) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const PgTenantMap> map, RecentMap());
  return CanonicalTenantOf(*map, tenant);
}

absl::StatusOr<TenantId> PostgresStore::CanonicalTenantOf(const PgTenantMap& map, TenantId tenant,
                                                          const ShouldEnd& should_end) {
  if (map.tenant_type().empty()) {
    return tenant;
  }
  const auto respell = [&](PgConnection* connection) { return Respell(map, connection, &tenant); };
  // The settings of a transaction can matter to the texts of other types.
  RETURN_IF_ERROR(map.tenant_class() == PgTypeClass::kOther ? AskInTransaction(respell, should_end)
                                                            : Ask(respell, should_end));
  return tenant;
}

absl::StatusOr<std::unique_ptr<TenantSession>> PostgresStore::OpenTenant(
    const TenantId& tenant, const SessionOptions& options) {
  const ShouldEnd& should_end = options.should_end;
  ASSIGN_OR_RETURN(const std::shared_ptr<const PgTenantMap> map, RecentMap(should_end));
  PostgresSession::Setup setup;
  ASSIGN_OR_RETURN(setup.tenant, CanonicalTenantOf(*map, tenant, should_end));
  setup.connection = options_.connection;
  setup.connection.identity = ExpectedIdentity();
  setup.config = options_.map;
  setup.options = options;
  setup.may_fire = options_.may_fire;
  setup.give_way_after = options_.give_way_after;
  setup.map = map;
  setup.learned = [this](std::shared_ptr<const PgTenantMap> now) { Remember(std::move(now)); };
  setup.main_pool = &of_sessions_;
  setup.second_pool = &second_of_sessions_;
  setup.large = &large_;
  setup.clock = options_.clock;
  setup.faults = options_.faults;
  return PostgresSession::Open(std::move(setup));
}

absl::StatusOr<SizeEstimate> PostgresStore::EstimateTenant(const TenantId& tenant) {
  ASSIGN_OR_RETURN(std::shared_ptr<const PgTenantMap> map, RecentMap());
  SizeEstimate estimate;
  const auto ask = [&] {
    return AskInTransaction([&](PgConnection* connection) {
      return EstimateWith(*map, tenant, connection, &estimate);
    });
  };
  absl::Status asked = ask();
  if (HasReason(asked, Reason::kLiveChanged)) {
    // The map was of before a change of the tables.
    ASSIGN_OR_RETURN(map, ReadMap());
    asked = ask();
  }
  RETURN_IF_ERROR(asked);
  return estimate;
}

absl::StatusOr<PostgresStore::Scan> PostgresStore::OpenScan() {
  PgOptions scanning = connecting_;
  scanning.silence_timeout = options_.scan_timeout;
  scanning.identity = ExpectedIdentity();
  ASSIGN_OR_RETURN(std::unique_ptr<PgConnection> connection, PgConnection::Connect(scanning));
  RETURN_IF_ERROR(CheckRole(connection.get(), options_.allow_superuser));
  RETURN_IF_ERROR(connection->Begin({.repeatable_read = true, .read_only = true}));
  ASSIGN_OR_RETURN(PgCatalog catalog, ReadCatalog(connection.get()));
  ASSIGN_OR_RETURN(PgTenantMap map, PgTenantMap::Make(std::move(catalog), options_.map));
  return Scan{.connection = std::move(connection), .map = std::move(map)};
}

absl::StatusOr<std::unique_ptr<TenantCountStream>> PostgresStore::CountTenants() {
  ASSIGN_OR_RETURN(Scan scan, OpenScan());
  RETURN_IF_ERROR(scan.connection->StartCopyOut(
      "count the tenants' rows", absl::StrCat("COPY (", CountSql(scan.map), ") TO STDOUT")));
  return std::make_unique<CountStream>(std::move(scan.connection));
}

absl::StatusOr<std::vector<int64_t>> PostgresStore::CountRowsOf(std::span<const TenantId> tenants) {
  ASSIGN_OR_RETURN(const Scan scan, OpenScan());
  absl::StatusOr<std::vector<int64_t>> rows =
      CountTenantRows(scan.map, tenants, scan.connection.get());
  return !rows.ok() && IsOfBadValue(*scan.connection) ? NotAnId(scan.map) : std::move(rows);
}

}  // namespace reinstate

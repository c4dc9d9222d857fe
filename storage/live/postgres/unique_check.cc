#include "storage/live/postgres/unique_check.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/live/postgres/advisory_locks.h"
#include "storage/live/postgres/row_codec.h"
#include "storage/live/postgres/sql_text.h"

namespace reinstate {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(5);
constexpr std::string_view kLooking = "look for values that are there twice";

// The OIDs of a table and its partitions.
std::string Heaps(const PgTable& table) {
  std::string list = absl::StrCat(table.oid);
  for (const PgHeap& heap : table.heaps) {
    absl::StrAppend(&list, ", ", heap.oid);
  }
  return list;
}

// Whether the backend of a lock l is one of a session of ours.
std::string IsOurs() {
  const auto mark = static_cast<uint64_t>(SessionMarkNumber());
  return absl::StrCat(
      "EXISTS (SELECT FROM pg_catalog.pg_locks o WHERE o.locktype = 'advisory' AND o.pid = l.pid "
      "AND o.database = l.database AND o.granted AND o.mode = 'ShareLock' AND o.objsubid = 1 AND "
      "o.classid = ",
      mark >> 32, " AND o.objid = ", mark & 0xffffffff, ")");
}

// Waits until each transaction that can write to `table` now has ended, but for those of sessions.
absl::Status WaitForWriters(const PgTable& table, const CheckConnections& connections) {
  const absl::Time until = absl::Now() + connections.patience;
  const std::string writers = absl::StrCat(
      "SELECT DISTINCT l.pid, l.virtualtransaction FROM pg_catalog.pg_locks l WHERE l.locktype = "
      "'relation' AND l.relation IN (",
      Heaps(table), ") AND l.granted AND l.pid IS DISTINCT FROM ", connections.main->backend_pid(),
      " AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = "
      "pg_catalog.current_database()) AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', "
      "'ExclusiveLock') AND NOT ",
      IsOurs());
  ASSIGN_OR_RETURN(PgConnection* const second, connections.Second());
  std::set<std::string> first;
  for (bool is_first = true;; is_first = false) {
    ASSIGN_OR_RETURN(const PgResult now, second->Query("wait for other writers", writers));
    std::set<std::string> waiting;
    for (int row = 0; row < now.rows(); ++row) {
      const std::string name = absl::StrCat(Absl(now.Get(row, 0)), " ", Absl(now.Get(row, 1)));
      if (is_first || first.contains(name)) {
        waiting.insert(name);
      }
    }
    first = std::move(waiting);
    if (first.empty()) {
      return absl::OkStatus();
    }
    if (absl::Now() >= until) {
      return MakeError(Reason::kLiveChanged,
                       absl::StrCat("a transaction that writes to table ", table.DisplayName(),
                                    " did not end in time"));
    }
    absl::SleepFor(kPoll);
  }
}

// FROM … WHERE of the rows that the transaction wrote.
std::string FromWritten(const DeferredUnique& unique, const PgTablePlan& plan,
                        const std::string& also_from, const std::string& xid) {
  return absl::StrCat(" FROM ", unique.map->FromSql(plan), also_from, " WHERE ",
                      unique.map->OwnedBySql(plan, *unique.tenant),
                      " AND t.xmin = ", CastLiteral(xid, "xid"));
}

// The key of t for people; its place if it has none.
std::string KeyTextSql(const PgTable& table) {
  std::vector<std::string> columns;
  for (const PgAttnum number : table.key) {
    columns.push_back(absl::StrCat("t.", QuoteIdentifier(table.Column(number)->name)));
  }
  return columns.empty()
             ? "t.ctid::pg_catalog.text"
             : absl::StrCat("pg_catalog.concat_ws(', ', ", absl::StrJoin(columns, ", "), ")");
}

absl::Status LookForOwn(const DeferredUnique& unique, const PgTablePlan& plan,
                        const CheckConnections& connections) {
  const PgTable& table = *unique.table;
  std::vector<std::string> equal;
  for (const PgAttnum number : unique.facts->columns) {
    const std::string name = QuoteIdentifier(table.Column(number)->name);
    const std::string_view is = unique.facts->nulls_distinct ? " = " : " IS NOT DISTINCT FROM ";
    equal.push_back(absl::StrCat("t.", name, Absl(is), "b.", name));
  }
  ASSIGN_OR_RETURN(
      const PgResult twice,
      QueryIn(connections.main, ModeFor(table, unique.facts->columns), kLooking,
              absl::StrCat("SELECT pg_catalog.count(*), pg_catalog.min(", KeyTextSql(table), ")",
                           FromWritten(unique, plan, absl::StrCat(", ", OnlyTable(table), " b"),
                                       connections.xid),
                           " AND ", absl::StrJoin(equal, " AND "),
                           " AND (t.ctid <> b.ctid OR t.tableoid <> b.tableoid)")));
  if (twice.GetInt(0, 0) == 0) {
    return absl::OkStatus();
  }
  return MakeError(
      Reason::kKeyConflict,
      absl::StrCat("restored rows of table ", table.DisplayName(),
                   " have values that other rows have too (constraint ", unique.facts->name,
                   "), one of them row ", Printable(twice.Get(0, 1))));
}

// The rows b that have the values of k, of which the columns with `is_null` are NULL. In a form
// that indexes serve, as IS NOT DISTINCT FROM is not.
std::string HasValues(const DeferredUnique& unique, const std::vector<bool>& is_null) {
  std::vector<std::string> equal;
  for (size_t i = 0; i < is_null.size(); ++i) {
    const PgAttnum number = unique.facts->columns[i];
    equal.push_back(
        is_null[i]
            ? absl::StrCat("b.", QuoteIdentifier(unique.table->Column(number)->name), " IS NULL")
            : EqualToBatch(*unique.table, {number}, "b", i + 1));
  }
  return absl::StrJoin(equal, " AND ");
}

// The keys of a batch by which of their columns are NULL; without those that are like no other.
std::map<std::vector<bool>, Keys> ByNulls(const DeferredUnique& unique, const Keys& batch) {
  std::map<std::vector<bool>, Keys> groups;
  std::vector<std::string_view> fields;
  for (const std::string& key : batch) {
    SplitCopyLine(key, &fields);
    std::vector<bool> is_null;
    is_null.reserve(fields.size());
    for (const std::string_view field : fields) {
      is_null.push_back(field == kCopyNull);
    }
    const bool any = std::find(is_null.begin(), is_null.end(), true) != is_null.end();
    if (!any || !unique.facts->nulls_distinct) {
      groups[std::move(is_null)].push_back(key);
    }
  }
  return groups;
}

absl::Status LookForBatch(const DeferredUnique& unique, const std::vector<bool>& is_null,
                          const Keys& batch, const CheckConnections& connections) {
  const PgTable& table = *unique.table;
  ASSIGN_OR_RETURN(const KeyBatch keys, MakeBatch(unique.facts->columns.size(), batch));
  ASSIGN_OR_RETURN(PgConnection* const second, connections.Second());
  ASSIGN_OR_RETURN(const PgResult others,
                   QueryIn(second, ModeFor(table, unique.facts->columns), kLooking,
                           absl::StrCat("SELECT pg_catalog.count(*) FROM ", keys.Sql(), ", ",
                                        OnlyTable(table), " b WHERE ", HasValues(unique, is_null),
                                        " AND b.xmax <> ", CastLiteral(connections.xid, "xid"))));
  return others.GetInt(0, 0) == 0
             ? absl::OkStatus()
             : MakeError(Reason::kLiveChanged,
                         absl::StrCat("the application wrote values to table ", table.DisplayName(),
                                      " that restored rows have too"));
}

// What the transaction's view does not show.
absl::Status LookForOthers(const DeferredUnique& unique, const PgTablePlan& plan,
                           const CheckConnections& connections) {
  const PgTable& table = *unique.table;
  std::vector<std::string> values;
  for (const PgAttnum number : unique.facts->columns) {
    values.push_back(
        absl::StrCat("t.", QuoteIdentifier(table.Column(number)->name), "::pg_catalog.text"));
  }
  const auto look = [&](const Keys& batch) -> absl::Status {
    for (const auto& [is_null, keys] : ByNulls(unique, batch)) {
      RETURN_IF_ERROR(LookForBatch(unique, is_null, keys, connections));
    }
    return absl::OkStatus();
  };
  return ForEachBatch(connections.main, kLooking,
                      absl::StrCat("SELECT ", absl::StrJoin(values, ", "),
                                   FromWritten(unique, plan, "", connections.xid)),
                      look);
}

}  // namespace

absl::Status TakeTurns(const std::vector<const PgTable*>& tables, PgConnection* main) {
  // In one order, so that two sessions do not wait for each other.
  std::set<PgOid> ordered;
  for (const PgTable* const table : tables) {
    ordered.insert(table->oid);
  }
  std::vector<std::string> locks;
  locks.reserve(ordered.size());
  for (const PgOid table : ordered) {
    locks.push_back(
        absl::StrCat("SELECT pg_catalog.pg_advisory_xact_lock(", TurnNumber(table), ")"));
  }
  return locks.empty() ? absl::OkStatus()
                       : main->Execute("wait for other restores that write to the same tables",
                                       absl::StrJoin(locks, "; "));
}

absl::Status CheckUnique(const DeferredUnique& unique, const CheckConnections& connections) {
  const PgTablePlan* const plan = unique.map->Find(absl::StrCat(unique.table->oid));
  if (plan == nullptr) {
    return MakeError(Reason::kInternal,
                     absl::StrCat("table ", unique.table->DisplayName(), " is in no plan"));
  }
  RETURN_IF_ERROR(WaitForWriters(*unique.table, connections));
  RETURN_IF_ERROR(LookForOwn(unique, *plan, connections));
  return LookForOthers(unique, *plan, connections);
}

}  // namespace reinstate

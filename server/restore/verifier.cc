#include "server/restore/verifier.h"

#include <functional>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/restore/ordered_stream.h"
#include "server/restore/sum_proto.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// What reading one table found.
struct TableReading {
  Sum sum;
  int64_t missing_keys = 0;  // of the point
};

// Counts the keys of the point that come before the present live key: they are not live.
absl::Status SkipMissing(OrderedStream* point, const OrderedStream& live, const RowKey* live_key,
                         int64_t* missing) {
  while (point->has() && (!live.has() || point->record().key < *live_key)) {
    ++*missing;
    RETURN_IF_ERROR(point->Advance());
  }
  return absl::OkStatus();
}

// Called with the bytes of each row that was read; an error ends the reading.
using OnRow = std::function<absl::Status(int64_t bytes)>;

// Sums the rows of a live table, in whatever order they come.
absl::StatusOr<TableReading> SumRows(const RecordHasher& hasher, uint32_t number,
                                     RecordStream* live, const OnRow& on_row) {
  TableReading reading;
  Record record;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, live->Next(&record));
    if (!more) {
      return reading;
    }
    reading.sum.Add(hasher.Hash(number, record.key.bytes(), record.payload), RecordBytes(record));
    RETURN_IF_ERROR(on_row(RecordBytes(record)));
  }
}

// The same of rows in the order of their keys; counts which keys of `at_point` are not among them.
absl::StatusOr<TableReading> SumAndMatch(const RecordHasher& hasher, uint32_t number,
                                         RecordStream* live_rows, RecordStream* at_point,
                                         const OnRow& on_row) {
  TableReading reading;
  OrderedStream live(live_rows);
  OrderedStream point(at_point);
  RETURN_IF_ERROR(live.Advance());
  RETURN_IF_ERROR(point.Advance());
  while (live.has()) {
    const Record& record = live.record();
    reading.sum.Add(hasher.Hash(number, record.key.bytes(), record.payload), RecordBytes(record));
    RETURN_IF_ERROR(on_row(RecordBytes(record)));
    RETURN_IF_ERROR(SkipMissing(&point, live, &record.key, &reading.missing_keys));
    if (point.has() && point.record().key == record.key) {
      RETURN_IF_ERROR(point.Advance());
    }
    RETURN_IF_ERROR(live.Advance());
  }
  RETURN_IF_ERROR(SkipMissing(&point, live, nullptr, &reading.missing_keys));
  return reading;
}

absl::Status Mismatch(const PlannedTable& table, std::string_view what, const Sum& wanted,
                      const Sum& found) {
  return MakeError(Reason::kVerificationMismatch,
                   absl::StrCat("table ", table.name, " read back from the live store is not ",
                                std::string(what), ": wanted ", wanted.ToString(), "; found ",
                                found.ToString()));
}

state::TableFinding Finding(const PlannedTable& table, const Sum& found) {
  state::TableFinding finding;
  finding.set_table(table.identity);
  finding.set_name(table.name);
  *finding.mutable_expected() = ToProto(table.expected);
  *finding.mutable_found() = ToProto(found);
  if (table.at_point.has_value()) {
    *finding.mutable_at_point() = ToProto(*table.at_point);
  }
  return finding;
}

absl::Status Judge(const PlannedTable& table, Verifier::Promise promise,
                   const TableReading& reading) {
  if (reading.sum != table.expected) {
    return Mismatch(table, "what the restore was to leave", table.expected, reading.sum);
  }
  const bool covered = table.at_point.has_value();
  if (covered && promise == Verifier::Promise::kEqualsPoint && reading.sum != *table.at_point) {
    return Mismatch(table, "what it was at the point", *table.at_point, reading.sum);
  }
  if (reading.missing_keys > 0) {
    return MakeError(Reason::kVerificationMismatch,
                     absl::StrCat("table ", table.name, ": ", reading.missing_keys,
                                  " rows of the point are not there afterwards"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<state::TableFinding>> Verifier::ReadBack(const TenantPlan& plan,
                                                                    const Yardstick& yardstick,
                                                                    TenantSession* session,
                                                                    ProgressMeter* meter) {
  std::vector<state::TableFinding> findings;
  for (const PlannedTable& table : plan.tables) {
    // Where all of the table is to equal the point, its sum says more than its keys.
    const bool compare_keys = yardstick.promise == Promise::kEveryKeyIsThere &&
                              table.at_point.has_value() && table.expected != *table.at_point;
    const OnRow on_row = [meter](int64_t bytes) { return meter->Tick(bytes); };
    TableReading reading;
    if (compare_keys) {
      ASSIGN_OR_RETURN(const std::unique_ptr<RecordStream> at_point,
                       yardstick.point->ReadTable(yardstick.tenant, table.number));
      ASSIGN_OR_RETURN(const std::unique_ptr<RecordStream> live,
                       session->ReadTable(table.identity));
      ASSIGN_OR_RETURN(reading,
                       SumAndMatch(plan.hasher, table.number, live.get(), at_point.get(), on_row));
    } else {
      ASSIGN_OR_RETURN(const std::unique_ptr<RecordStream> live,
                       session->ReadTableUnordered(table.identity));
      ASSIGN_OR_RETURN(reading, SumRows(plan.hasher, table.number, live.get(), on_row));
    }
    RETURN_IF_ERROR(Judge(table, yardstick.promise, reading));
    findings.push_back(Finding(table, reading.sum));
  }
  return findings;
}

absl::StatusOr<std::vector<state::TableFinding>> Verifier::LookAgain(const TenantPlan& plan,
                                                                     TenantSession* session,
                                                                     const RunControl& control) {
  std::vector<state::TableFinding> differing;
  for (const PlannedTable& table : plan.tables) {
    RETURN_IF_ERROR(control.CheckStop());
    ASSIGN_OR_RETURN(const std::unique_ptr<RecordStream> live,
                     session->ReadTableUnordered(table.identity));
    ASSIGN_OR_RETURN(const TableReading reading,
                     SumRows(plan.hasher, table.number, live.get(),
                             [&control](int64_t) { return control.CheckStop(); }));
    if (reading.sum != table.expected) {
      differing.push_back(Finding(table, reading.sum));
    }
  }
  return differing;
}

}  // namespace reinstate

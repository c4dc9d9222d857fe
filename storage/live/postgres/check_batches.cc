#include "storage/live/postgres/check_batches.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/live/postgres/row_codec.h"

namespace reinstate {
namespace {

constexpr size_t kBatchRows = 10000;
constexpr size_t kKeyOverhead = 48;  // bytes, of an entry of a set

// Tells the owner of the database, and our benchmark, what the checks cost (pg_stat_statements).
constexpr char kMark[] = "/* constraint check */ ";

// Appends the row to a key, as COPY writes it.
void AppendRow(const PgResult& rows, int row, std::string* key) {
  for (int column = 0; column < rows.columns(); ++column) {
    key->append(column > 0 ? "\t" : "");
    if (rows.IsNull(row, column)) {
      key->append(kCopyNull);
    } else {
      AppendCopyField(rows.Get(row, column), key);
    }
  }
}

}  // namespace

absl::StatusOr<PgConnection*> CheckConnections::Second() const {
  if (!second->in_transaction()) {
    RETURN_IF_ERROR(second->Begin({.repeatable_read = false, .read_only = true}));
  }
  return second;
}

void KeySet::Insert(const std::string& key) {
  if (overflown_ || !keys_.insert(key).second) {
    return;
  }
  bytes_ += key.size() + kKeyOverhead;
  memory_->used_bytes += key.size() + kKeyOverhead;
  if (memory_->used_bytes > memory_->limit_bytes) {
    Forget();
  }
}

void KeySet::Erase(const std::string& key) {
  if (keys_.erase(key) > 0) {
    bytes_ -= key.size() + kKeyOverhead;
    memory_->used_bytes -= key.size() + kKeyOverhead;
  }
}

void KeySet::Forget() {
  memory_->used_bytes -= bytes_;
  bytes_ = 0;
  keys_ = {};
  overflown_ = true;
}

std::vector<size_t> FieldsOf(const PgTable& table, const std::vector<PgAttnum>& columns) {
  const std::vector<const PgColumn*> payload = table.PayloadColumns();
  std::vector<size_t> fields;
  for (const PgAttnum number : columns) {
    const auto found =
        std::find_if(payload.begin(), payload.end(),
                     [number](const PgColumn* column) { return column->number == number; });
    fields.push_back(found == payload.end() ? std::string::npos
                                            : static_cast<size_t>(found - payload.begin()));
  }
  return fields;
}

bool JoinFields(const RowFields& fields, const std::vector<size_t>& places, std::string* key) {
  key->clear();
  for (const size_t place : places) {
    if (place >= fields.size() || fields[place] == kCopyNull) {
      return false;
    }
    if (place != places.front()) {
      key->push_back('\t');
    }
    key->append(fields[place]);
  }
  return true;
}

absl::Status ForEachBatch(const KeySet& keys, const CheckKeys& check) {
  Keys batch;
  for (const std::string& key : keys.keys()) {
    batch.push_back(key);
    if (batch.size() == kBatchRows) {
      RETURN_IF_ERROR(check(batch));
      batch.clear();
    }
  }
  return batch.empty() ? absl::OkStatus() : check(batch);
}

absl::Status ForEachBatch(PgConnection* connection, std::string_view doing,
                          const std::string& select, const CheckKeys& check) {
  // All rows will be fetched, which is what the planner is to go by.
  RETURN_IF_ERROR(connection->Execute(
      doing, absl::StrCat("SET LOCAL cursor_tuple_fraction = 1; ",
                          Absl(connection->OnceSet(PlanModeSql(PlanMode::kWhole))),
                          "DECLARE reinstate_keys NO SCROLL CURSOR FOR ", kMark, select)));
  while (true) {
    ASSIGN_OR_RETURN(
        const PgResult rows,
        connection->Query(doing, absl::StrCat("FETCH ", kBatchRows, " FROM reinstate_keys")));
    if (rows.rows() == 0) {
      return connection->Execute(doing, "CLOSE reinstate_keys");
    }
    Keys batch(static_cast<size_t>(rows.rows()));
    for (int row = 0; row < rows.rows(); ++row) {
      AppendRow(rows, row, &batch[static_cast<size_t>(row)]);
    }
    RETURN_IF_ERROR(check(batch));
  }
}

absl::StatusOr<KeyBatch> MakeBatch(size_t columns, const Keys& keys) {
  KeyBatch batch(columns);
  std::vector<std::string_view> fields;
  for (const std::string& key : keys) {
    SplitCopyLine(key, &fields);
    if (fields.size() != columns || !batch.AddFields(fields)) {
      return MakeError(Reason::kCorrupt, "a payload is not as COPY writes it");
    }
  }
  return batch;
}

Keys NotAmong(const Keys& keys, const PgResult& found) {
  std::vector<bool> is_there(keys.size(), false);
  for (int row = 0; row < found.rows(); ++row) {
    is_there[static_cast<size_t>(found.GetInt(row, 0) - 1)] = true;
  }
  Keys missing;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!is_there[i]) {
      missing.push_back(keys[i]);
    }
  }
  return missing;
}

PlanMode ModeFor(const PgTable& table, const std::vector<PgAttnum>& columns) {
  return table.HasIndexOn(columns) ? PlanMode::kProbe : PlanMode::kWhole;
}

absl::StatusOr<PgResult> QueryIn(PgConnection* connection, PlanMode mode, std::string_view doing,
                                 const std::string& sql) {
  ASSIGN_OR_RETURN(
      std::vector<PgResult> found,
      connection->QueryAll(doing,
                           absl::StrCat(Absl(connection->OnceSet(PlanModeSql(mode))), kMark, sql)));
  return std::move(found.back());
}

}  // namespace reinstate

#include "storage/live/postgres/key_lookup.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/live/postgres/key_batch.h"
#include "storage/live/postgres/row_codec.h"
#include "storage/live/postgres/sql_text.h"

namespace reinstate {
namespace {

// A row is its key's number, whose it is (m mine, n nobody's, o another's), and its payload. Whose
// it is may cost a look at other tables, so it is asked once a row.
std::string KeyedSelect(const PgTenantMap& map, const PgTablePlan& plan, const TenantId& tenant,
                        const KeyBatch& batch) {
  const PgTable& table = map.Table(plan);
  std::vector<std::string> columns;
  std::vector<std::string> shown;
  for (const PgColumn* column : table.PayloadColumns()) {
    const std::string name = absl::StrCat("f", columns.size());
    columns.push_back(absl::StrCat("t.", QuoteIdentifier(column->name), " AS ", name));
    shown.push_back(absl::StrCat("CASE WHEN mine IS NOT FALSE THEN ", name, " END"));
  }
  return absl::StrCat("SELECT n, CASE WHEN mine THEN 'm' WHEN mine IS NULL THEN 'n' ELSE 'o' END, ",
                      absl::StrJoin(shown, ", "), " FROM (SELECT k.n, (",
                      map.OwnedBySql(plan, tenant), ") AS mine, ", absl::StrJoin(columns, ", "),
                      " FROM ", batch.Sql(), ", ", map.FromSql(plan), " WHERE ",
                      EqualToBatch(table, table.key, "t"), " OFFSET 0) s");
}

// Rows without a key cannot be another's: their key is their contents.
std::string KeylessSelect(const PgTenantMap& map, const PgTablePlan& plan, const TenantId& tenant,
                          const KeyBatch& batch) {
  std::vector<std::string> fields;
  for (size_t i = 0; i < map.Table(plan).PayloadColumns().size(); ++i) {
    fields.push_back(absl::StrCat("f", i));
  }
  const std::string names = absl::StrJoin(fields, ", ");
  return absl::StrCat("SELECT k.n, 'm', ", names, " FROM ", batch.Sql(), ", (",
                      map.RowSelect(plan, map.OwnedBySql(plan, tenant), /*ordered=*/false),
                      ") AS s(h, m, ", names,
                      ") WHERE s.h = k.c1 COLLATE \"C\" AND s.m = k.c2 COLLATE \"C\"");
}

absl::Status OfAnotherForm(const PgTable& table) {
  return MakeError(
      Reason::kUnsupported,
      absl::StrCat("table ", table.DisplayName(),
                   " has a row whose key is equal to a restored one but written differently (as "
                   "1.0 and 1.00); such rows are not matched"));
}

// Of a line that the selects above give: the number of the key from 1, whose it is, and the
// payload.
absl::Status ParseState(const PgTable& table, const RowCodec& codec, std::span<const RowKey> keys,
                        std::string_view line, std::vector<KeyState>* states) {
  const size_t tab = line.find('\t');
  const size_t number = static_cast<size_t>(std::stoul(std::string(line.substr(0, tab)))) - 1;
  const char whose = line[tab + 1];
  line.remove_prefix(std::min(line.size(), tab + 3));
  if (whose == 'o') {
    (*states)[number].owner = KeyOwner::kOtherTenant;
    return absl::OkStatus();
  }
  if (codec.has_key()) {
    ASSIGN_OR_RETURN(const RowKey found, codec.KeyOf(line));
    if (found != keys[number]) {
      return OfAnotherForm(table);
    }
  }
  (*states)[number] = {.owner = whose == 'm' ? KeyOwner::kThisTenant : KeyOwner::kNobody,
                       .payload = std::string(line)};
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<KeyState>> LookUpKeys(const PgTenantMap& map, const PgTablePlan& plan,
                                                 const TenantId& tenant,
                                                 std::span<const RowKey> keys,
                                                 PgConnection* connection) {
  std::vector<KeyState> states(keys.size());
  if (keys.empty()) {
    return states;
  }
  const PgTable& table = map.Table(plan);
  const RowCodec codec(map.Layout(plan));
  KeyBatch batch(codec.has_key() ? table.key.size() : 2);
  for (const RowKey& key : keys) {
    ASSIGN_OR_RETURN(const std::vector<std::string> texts, codec.KeyTexts(key));
    batch.Add(texts);
  }
  const std::string select = codec.has_key() ? KeyedSelect(map, plan, tenant, batch)
                                             : KeylessSelect(map, plan, tenant, batch);
  const PlanMode mode = codec.has_key() ? PlanMode::kProbe : PlanMode::kWhole;
  RETURN_IF_ERROR(connection->StartCopyOut(
      absl::StrCat("look up keys of table ", table.DisplayName()),
      absl::StrCat(Absl(connection->OnceSet(PlanModeSql(mode))), "COPY (", select, ") TO STDOUT")));
  std::string_view line;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, connection->NextLine(&line));
    if (!more) {
      return states;
    }
    RETURN_IF_ERROR(ParseState(table, codec, keys, line, &states));
  }
}

}  // namespace reinstate

#include "client/cli/tables_but.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "client/cli/display_text.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// What a table is called, at the point and now, by its identity.
using TableNames = std::map<std::string, std::set<std::string>>;

absl::StatusOr<TableNames> AllTables(const std::string& store, const std::string& snapshot,
                                     ReinstateClient* client) {
  v1::GetSnapshotRequest get;
  get.set_snapshot(snapshot);
  ASSIGN_OR_RETURN(const v1::Snapshot point, client->GetSnapshot(get));
  v1::DiscoverStoreRequest discover;
  discover.set_store(store);
  ASSIGN_OR_RETURN(const v1::DiscoverStoreResponse live, client->DiscoverStore(discover));
  TableNames tables;
  for (const v1::SnapshotTable& table : point.tables()) {
    tables[table.identity()].insert(table.table());
  }
  for (const v1::TableInfo& table : live.catalog().tables()) {
    if (table.relation() == v1::TABLE_RELATION_OWNED ||
        table.relation() == v1::TABLE_RELATION_UNRESOLVED) {
      tables[table.identity()].insert(table.name());
    }
  }
  return tables;
}

}  // namespace

absl::Status LimitToTablesBut(const std::vector<std::string>& without, Session& session,
                              v1::RestoreSpec* spec) {
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  v1::ResolvePointRequest resolve;
  resolve.set_store(spec->store());
  resolve.set_at(spec->at());
  ASSIGN_OR_RETURN(const v1::Point point, client->ResolvePoint(resolve));
  ASSIGN_OR_RETURN(const TableNames tables, AllTables(spec->store(), point.snapshot(), client));
  const std::set<std::string> left_out(without.begin(), without.end());
  std::set<std::string> unknown = left_out;
  std::set<std::string> wanted;
  for (const auto& [identity, names] : tables) {
    if (std::ranges::none_of(names, [&](const auto& name) { return left_out.contains(name); })) {
      wanted.insert(names.begin(), names.end());
    }
    for (const std::string& name : names) {
      unknown.erase(name);
    }
  }
  if (!unknown.empty()) {
    return MakeError(Reason::kTableNotFound,
                     absl::StrCat("There is no table ", Printable(*unknown.begin()),
                                  ", neither in ", point.snapshot(),
                                  " nor now; reinstate store discover lists the "
                                  "tables."));
  }
  if (wanted.empty()) {
    return MakeError(Reason::kInvalidArgument, "No table is left.");
  }
  spec->set_at(point.snapshot());
  spec->mutable_tables()->Assign(wanted.begin(), wanted.end());
  return absl::OkStatus();
}

}  // namespace reinstate

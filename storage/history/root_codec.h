#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/history/history.pb.h"
#include "storage/history/history_db.h"
#include "storage/history/snapshot_info.h"
#include "storage/model/table_schema.h"

namespace reinstate {

history::Schema SchemaToProto(const TableSchema& schema);
TableSchema SchemaFromProto(const history::Schema& proto);

// The root of a snapshot with what it refers to.
struct StoredRoot {
  history::Root root;
  std::string digest;  // SHA-256 of its bytes
};

// nullopt if there is no such root. CORRUPT.
absl::StatusOr<std::optional<StoredRoot>> ReadRoot(const HistoryDb& db, const SnapshotId& id);

// CORRUPT if `body` is malformed.
absl::StatusOr<StoredRoot> DecodeRoot(std::string_view body);

// What the root says but for the covered tables. Nothing from the catalog.
SnapshotInfo RootFacts(const SnapshotId& id, const StoredRoot& stored);

// What the root says, with the schemas of the covered tables from `db`. Nothing from the catalog.
// CORRUPT if a schema is missing.
absl::StatusOr<SnapshotInfo> RootToInfo(const HistoryDb& db, const SnapshotId& id,
                                        const StoredRoot& stored);

// Of the manifests that are current at the root.
inline Uint128 ManifestsHash(const history::Root& root) {
  return (static_cast<Uint128>(root.manifests_high()) << 64) | root.manifests_low();
}

}  // namespace reinstate

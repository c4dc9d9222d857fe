#include "storage/history/root_codec.h"

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/history/key_codec.h"
#include "storage/history/manifest_codec.h"
#include "storage/model/digest.h"

namespace reinstate {
namespace {

absl::StatusOr<CoveredTable> ReadCoveredTable(const HistoryDb& db,
                                              const history::LineageTable& table) {
  ASSIGN_OR_RETURN(const std::optional<std::string> body,
                   db.Get(Family::kSchemas, table.schema_hash()));
  history::Schema schema;
  if (!body.has_value() || !schema.ParseFromString(*body)) {
    return MakeError(Reason::kCorrupt, absl::StrCat("The schema of table number ", table.number(),
                                                    " is missing from the history or malformed."));
  }
  return CoveredTable{
      .number = table.number(), .schema = SchemaFromProto(schema), .owned = table.owned()};
}

}  // namespace

history::Schema SchemaToProto(const TableSchema& schema) {
  history::Schema proto;
  proto.set_identity(schema.identity);
  proto.set_name(schema.name);
  for (const Column& column : schema.columns) {
    history::Column* added = proto.add_columns();
    added->set_name(column.name);
    added->set_type(column.type);
    added->set_in_key(column.in_key);
  }
  return proto;
}

TableSchema SchemaFromProto(const history::Schema& proto) {
  TableSchema schema{.identity = proto.identity(), .name = proto.name(), .columns = {}};
  for (const history::Column& column : proto.columns()) {
    schema.columns.push_back(
        {.name = column.name(), .type = column.type(), .in_key = column.in_key()});
  }
  return schema;
}

absl::StatusOr<StoredRoot> DecodeRoot(std::string_view body) {
  StoredRoot stored;
  if (!stored.root.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return MakeError(Reason::kCorrupt, "The root of a snapshot in the history is malformed.");
  }
  stored.digest = Digest::Of(body);
  return stored;
}

absl::StatusOr<std::optional<StoredRoot>> ReadRoot(const HistoryDb& db, const SnapshotId& id) {
  ASSIGN_OR_RETURN(const std::optional<std::string> body,
                   db.Get(Family::kRoots, KeyCodec::RootKey(id)));
  if (!body.has_value()) {
    return std::nullopt;
  }
  ASSIGN_OR_RETURN(StoredRoot stored, DecodeRoot(*body));
  return stored;
}

SnapshotInfo RootFacts(const SnapshotId& id, const StoredRoot& stored) {
  const history::Root& root = stored.root;
  SnapshotInfo info;
  info.id = id;
  info.instant = absl::FromUnixMicros(root.instant_us());
  info.position = root.position();
  info.store_identity = root.store_identity();
  info.map_digest = root.map_digest();
  info.job = root.job();
  info.tenants = root.tenants();
  info.sum = SumFromProto(root.sum());
  info.ownerless_rows = root.ownerless_rows();
  info.added_bytes = root.added_bytes();
  info.collapse = {.vanished_tenants = root.collapse().vanished_tenants(),
                   .shrunken_tenants = root.collapse().shrunken_tenants(),
                   .marked = root.collapse().marked()};
  info.root_digest = stored.digest;
  return info;
}

absl::StatusOr<SnapshotInfo> RootToInfo(const HistoryDb& db, const SnapshotId& id,
                                        const StoredRoot& stored) {
  SnapshotInfo info = RootFacts(id, stored);
  for (const history::LineageTable& table : stored.root.tables()) {
    if (table.covered()) {
      ASSIGN_OR_RETURN(CoveredTable covered, ReadCoveredTable(db, table));
      info.tables.push_back(std::move(covered));
    }
  }
  return info;
}

}  // namespace reinstate

#include "storage/live/remote/wire_values.h"

#include <google/protobuf/util/time_util.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "storage/live/labels.h"
#include "storage/live/remote/wire_status.h"

namespace reinstate::live_wire {
namespace {

using google::protobuf::util::TimeUtil;

absl::StatusOr<Relation> FromWire(v1::TableRelation relation) {
  switch (relation) {
    case v1::TABLE_RELATION_OWNED:
      return Relation::kOwned;
    case v1::TABLE_RELATION_SHARED:
      return Relation::kShared;
    case v1::TABLE_RELATION_EXCLUDED:
      return Relation::kExcluded;
    case v1::TABLE_RELATION_UNRESOLVED:
      return Relation::kUnresolved;
    default:
      return ProtocolBroken(absl::StrCat("a table has the relation ", relation));
  }
}

absl::StatusOr<MappedTable> FromWire(const v1::TableInfo& table) {
  MappedTable mapped{
      .schema = {.identity = table.identity(), .name = table.name(), .columns = {}},
      .relation = Relation::kUnresolved,
      .how = table.how(),
      .write_refusal = table.write_refusal(),
      .replace_refusal = table.replace_refusal(),
      .refusal_reason = table.refused_by_role() ? Reason::kNotAllowed : Reason::kUnsupported,
      .may_be_obstructed = table.may_be_obstructed()};
  ASSIGN_OR_RETURN(mapped.relation, FromWire(table.relation()));
  for (const v1::ColumnInfo& column : table.columns()) {
    mapped.schema.columns.push_back(
        {.name = column.name(), .type = column.type(), .in_key = column.in_key()});
  }
  return mapped;
}

// The id of a tenant with rows or labels; empty stands for nobody where that may be.
absl::StatusOr<TenantId> TenantFromWire(const std::string& text, bool may_be_nobody) {
  if (text.empty() && may_be_nobody) {
    return TenantId::Ownerless();
  }
  absl::StatusOr<TenantId> id = TenantId::Parse(text);
  return id.ok() ? id : ProtocolBroken(absl::StrCat("a tenant: ", id.status().message()));
}

}  // namespace

absl::StatusOr<TenantMap> FromWire(const v1::Catalog& catalog) {
  TenantMap map;
  map.label_source = catalog.label_source();
  std::set<std::string> identities;
  for (const v1::TableInfo& table : catalog.tables()) {
    if (table.identity().empty() || !identities.insert(table.identity()).second) {
      return ProtocolBroken(absl::StrCat("a table has no identity, or that of another: \"",
                                         Printable(table.identity()), "\", named \"",
                                         Printable(table.name()), "\""));
    }
    ASSIGN_OR_RETURN(MappedTable mapped, FromWire(table));
    map.tables.push_back(std::move(mapped));
  }
  return map;
}

absl::StatusOr<CommitOutcome> FromWire(v1::CommitOutcome outcome) {
  switch (outcome) {
    case v1::COMMIT_OUTCOME_COMMITTED:
      return CommitOutcome::kCommitted;
    case v1::COMMIT_OUTCOME_NOT_COMMITTED:
      return CommitOutcome::kNotCommitted;
    case v1::COMMIT_OUTCOME_NOT_KNOWN:
      return CommitOutcome::kNotKnown;
    default:
      return ProtocolBroken(absl::StrCat("a commit has the outcome ", outcome));
  }
}

absl::StatusOr<KeyOwner> FromWire(v1::KeyOwner owner) {
  switch (owner) {
    case v1::KEY_OWNER_NOBODY:
      return KeyOwner::kNobody;
    case v1::KEY_OWNER_THIS_TENANT:
      return KeyOwner::kThisTenant;
    case v1::KEY_OWNER_OTHER_TENANT:
      return KeyOwner::kOtherTenant;
    default:
      return ProtocolBroken(absl::StrCat("a key has the owner ", owner));
  }
}

absl::StatusOr<Obstacle> FromWire(const v1::SessionObstacle& wire, size_t changes) {
  if (wire.change() >= changes) {
    return ProtocolBroken("something is in the way of a change that was not asked about");
  }
  Obstacle obstacle{.change = wire.change()};
  if (wire.kind() == v1::OBSTACLE_KIND_NO_PARTITION) {
    obstacle.kind = ObstacleKind::kNoPartition;
    return obstacle;
  }
  if (wire.kind() != v1::OBSTACLE_KIND_VALUE_TAKEN) {
    return ProtocolBroken(absl::StrCat("what is in the way of a row is of the kind ", wire.kind()));
  }
  obstacle.constraint = Printable(wire.constraint());
  ASSIGN_OR_RETURN(obstacle.owner, FromWire(wire.owner()));
  if (wire.has_key() && obstacle.owner == KeyOwner::kThisTenant) {
    obstacle.key = RowKey(wire.key());
  }
  return obstacle;
}

absl::StatusOr<TenantCount> FromWire(const v1::TenantRowCount& count) {
  ASSIGN_OR_RETURN(TenantId tenant, TenantFromWire(count.tenant(), /*may_be_nobody=*/true));
  if (count.rows() <= 0) {
    return ProtocolBroken(absl::StrCat("a tenant is said to have ", count.rows(), " rows"));
  }
  return TenantCount{.tenant = std::move(tenant), .rows = count.rows()};
}

absl::StatusOr<TenantLabels> FromWire(const v1::TenantLabels& labels) {
  ASSIGN_OR_RETURN(TenantId tenant, TenantFromWire(labels.tenant(), /*may_be_nobody=*/false));
  TenantLabels result{.tenant = std::move(tenant), .labels = {}};
  for (const std::string& label : labels.labels()) {
    if (result.labels.size() < kMaxLabels) {
      result.labels.push_back(LabelFromPayload(label));
    }
  }
  if (result.labels.empty()) {
    return ProtocolBroken("a tenant without labels is among those that have some");
  }
  return result;
}

absl::StatusOr<absl::Time> FromWire(const google::protobuf::Timestamp& time) {
  if (time.seconds() < TimeUtil::kTimestampMinSeconds ||
      time.seconds() > TimeUtil::kTimestampMaxSeconds || time.nanos() < 0 ||
      time.nanos() > 999'999'999) {
    return ProtocolBroken("a timestamp is out of range");
  }
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

absl::StatusOr<absl::Duration> LeaseFromWire(const google::protobuf::Duration& duration) {
  // Compared as numbers first: what is out of range cannot be computed with.
  if (duration.seconds() < 1 || duration.seconds() > 600 || duration.nanos() < 0 ||
      duration.nanos() > 999'999'999) {
    return ProtocolBroken("a lease is not between a second and ten minutes");
  }
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

v1::ChangeKind ToWire(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kDelete:
      return v1::CHANGE_KIND_DELETE;
    case ChangeKind::kReplace:
      return v1::CHANGE_KIND_REPLACE;
    case ChangeKind::kInsert:
      return v1::CHANGE_KIND_INSERT;
  }
  return v1::CHANGE_KIND_UNSPECIFIED;
}

void ToWire(absl::Duration duration, google::protobuf::Duration* wire) {
  *wire = TimeUtil::NanosecondsToDuration(absl::ToInt64Nanoseconds(duration));
}

}  // namespace reinstate::live_wire

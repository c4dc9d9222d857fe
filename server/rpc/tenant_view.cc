#include "server/rpc/tenant_view.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/rpc/convert_common.h"
#include "server/rpc/opened_point.h"
#include "server/rpc/request_checks.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr int kMaxVersions = 100;

// The parts of one tenant's view, filled in one after the other.
class TenantViewer {
 public:
  TenantViewer(const ServiceParts& parts, const ServedStore& store, TenantId tenant)
      : parts_(parts), store_(store), tenant_(std::move(tenant)) {}

  absl::StatusOr<v1::Tenant> View(const v1::GetTenantRequest& request);

 private:
  // OK also if the tenant is not at the point.
  absl::Status ViewPoint(const std::string& at);
  absl::Status ViewPeak();
  void EstimateLive();
  absl::Status CountLive();
  absl::Status ViewVersions();
  absl::Status ViewDoubt();

  v1::TenantTable* Table(const std::string& identity, const std::string& name);
  void FinishTables();

  const ServiceParts& parts_;
  const ServedStore& store_;
  const TenantId tenant_;
  OpenedPoint opened_;
  bool had_rows_before_ = false;
  std::map<std::string, v1::TenantTable> tables_;  // by identity
  v1::Tenant wire_;
};

v1::TenantTable* TenantViewer::Table(const std::string& identity, const std::string& name) {
  v1::TenantTable* table = &tables_[identity];
  table->set_table(name);
  return table;
}

absl::Status TenantViewer::ViewPoint(const std::string& at) {
  ASSIGN_OR_RETURN(opened_, OpenPointAt(parts_, store_, at.empty() ? "latest" : at));
  ToWire(opened_.point, wire_.mutable_point());
  const absl::StatusOr<TenantManifest> manifest = opened_.reader->GetTenant(tenant_);
  if (HasReason(manifest.status(), Reason::kTenantNotAtPoint)) {
    wire_.mutable_at_point();
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(manifest.status());
  wire_.set_exists_at_point(true);
  ToWire(*manifest, wire_.mutable_at_point());
  ToWire(store_.name, *manifest, wire_.mutable_ref());
  for (const std::string& label : manifest->labels) {
    wire_.add_labels(label);
  }
  for (const CoveredTable& covered : opened_.reader->snapshot().tables) {
    const auto sum =
        std::find_if(manifest->tables.begin(), manifest->tables.end(),
                     [&](const TableSum& table) { return table.number == covered.number; });
    if (sum != manifest->tables.end()) {
      v1::TenantTable* table = Table(covered.schema.identity, covered.schema.name);
      ToWire(sum->sum, table->mutable_at_point());
      table->set_covered(true);
    }
  }
  return absl::OkStatus();
}

absl::Status TenantViewer::ViewPeak() {
  ASSIGN_OR_RETURN(const std::optional<PointReader::Peak> peak,
                   opened_.reader->PeakBefore(tenant_));
  had_rows_before_ = peak.has_value();
  if (!peak.has_value() || wire_.at_point().rows() * 2 >= peak->rows) {
    return absl::OkStatus();
  }
  v1::TenantVersion* version = wire_.mutable_larger_before();
  version->set_snapshot(peak->snapshot.ToString());
  version->set_exists(true);
  version->mutable_counts()->set_rows(peak->rows);
  ASSIGN_OR_RETURN(const std::unique_ptr<PointReader> reader,
                   parts_.history->OpenPoint(peak->snapshot));
  ToWire(reader->snapshot().instant, version->mutable_instant());
  ASSIGN_OR_RETURN(const TenantManifest manifest, reader->GetTenant(tenant_));
  ToWire(manifest, version->mutable_counts());
  if (!manifest.labels.empty()) {
    version->set_label(manifest.labels.front());
    if (wire_.ref().label().empty()) {
      wire_.mutable_ref()->set_label(manifest.labels.front());
      wire_.mutable_labels()->Assign(manifest.labels.begin(), manifest.labels.end());
    }
  }
  return absl::OkStatus();
}

void TenantViewer::EstimateLive() {
  if (const auto estimate = store_.live->EstimateTenant(tenant_); estimate.ok()) {
    wire_.mutable_live()->set_rows(estimate->rows);
    wire_.mutable_live()->set_bytes(estimate->bytes);
  }
}

absl::Status TenantViewer::CountLive() {
  ASSIGN_OR_RETURN(const std::unique_ptr<TenantSession> session,
                   store_.live->OpenTenant(tenant_, {.purpose = "count"}));
  RETURN_IF_ERROR(session->Begin());
  ASSIGN_OR_RETURN(const TenantMap map, store_.live->Catalog());
  std::set<std::string> covered;
  for (const CoveredTable& table : opened_.reader->snapshot().tables) {
    covered.insert(table.schema.identity);
  }
  Sum total;
  for (const MappedTable& mapped : map.tables) {
    if (mapped.relation != Relation::kOwned) {
      continue;
    }
    ASSIGN_OR_RETURN(const std::unique_ptr<RecordStream> stream,
                     session->ReadTable(mapped.schema.identity));
    Sum sum;
    Record record;
    while (true) {
      ASSIGN_OR_RETURN(const bool more, stream->Next(&record));
      if (!more) {
        break;
      }
      sum.Add(0, RecordBytes(record));
    }
    total += sum;
    v1::TenantTable* table = Table(mapped.schema.identity, mapped.schema.name);
    table->set_covered(covered.contains(mapped.schema.identity));
    ToWire(sum, table->mutable_live());
  }
  ToWire(total, wire_.mutable_live());
  return absl::OkStatus();
}

// The tables with rows on either side, by name.
void TenantViewer::FinishTables() {
  for (auto& [identity, table] : tables_) {
    if (table.at_point().rows() != 0 || table.live().rows() != 0) {
      *wire_.add_tables() = std::move(table);
    }
  }
  std::sort(wire_.mutable_tables()->begin(), wire_.mutable_tables()->end(),
            [](const auto& a, const auto& b) { return a.table() < b.table(); });
}

absl::Status TenantViewer::ViewVersions() {
  ASSIGN_OR_RETURN(const std::vector<SnapshotInfo> snapshots,
                   parts_.history->ListSnapshots(store_.lineage));
  std::map<SnapshotId, absl::Time> visible;
  for (const SnapshotInfo& snapshot : snapshots) {
    if (snapshot.visible()) {
      visible.emplace(snapshot.id, snapshot.instant);
    }
  }
  return parts_.history->ScanManifests(store_.lineage, [&](const ManifestVersion& version) {
    if (version.manifest.tenant != tenant_) {
      return version.manifest.tenant < tenant_;
    }
    const auto snapshot = visible.find(version.snapshot);
    if (snapshot == visible.end()) {
      return true;
    }
    v1::TenantVersion* wire = wire_.add_versions();
    wire->set_snapshot(version.snapshot.ToString());
    ToWire(snapshot->second, wire->mutable_instant());
    wire->set_exists(version.exists);
    if (version.exists) {
      ToWire(version.manifest, wire->mutable_counts());
      wire->set_label(version.manifest.labels.empty() ? "" : version.manifest.labels.front());
    }
    return wire_.versions_size() < kMaxVersions;
  });
}

absl::Status TenantViewer::ViewDoubt() {
  ASSIGN_OR_RETURN(const std::optional<std::string> in_doubt,
                   parts_.state->InDoubt(store_.name, tenant_.value()));
  wire_.set_in_doubt_restore(in_doubt.value_or(""));
  return absl::OkStatus();
}

absl::StatusOr<v1::Tenant> TenantViewer::View(const v1::GetTenantRequest& request) {
  wire_.mutable_ref()->set_store(store_.name);
  wire_.mutable_ref()->set_tenant(tenant_.value());
  RETURN_IF_ERROR(ViewPoint(request.at()));
  RETURN_IF_ERROR(ViewPeak());
  if (request.count_live()) {
    RETURN_IF_ERROR(CountLive());
  } else {
    EstimateLive();
  }
  if (!wire_.exists_at_point() && !had_rows_before_ && wire_.live().rows() == 0) {
    return MakeError(Reason::kTenantNotFound,
                     absl::StrCat("Store ", store_.name, " has no tenant ",
                                  Printable(tenant_.value()), ", neither live nor at ",
                                  opened_.point.snapshot(), " or before; try tenant find."));
  }
  if (request.with_versions()) {
    RETURN_IF_ERROR(ViewVersions());
  }
  RETURN_IF_ERROR(ViewDoubt());
  FinishTables();
  return std::move(wire_);
}

}  // namespace

absl::StatusOr<v1::Tenant> ViewTenant(const ServiceParts& parts,
                                      const v1::GetTenantRequest& request) {
  ASSIGN_OR_RETURN(const ServedStore* store, parts.stores->Find(request.store()));
  ASSIGN_OR_RETURN(TenantId tenant,
                   ParseTenantOf(*parts.stores, store->name, "tenant", request.tenant()));
  return TenantViewer(parts, *store, std::move(tenant)).View(request);
}

}  // namespace reinstate

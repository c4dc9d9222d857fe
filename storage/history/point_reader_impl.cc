#include "storage/history/point_reader_impl.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/history/all_versions_scan.h"
#include "storage/history/key_codec.h"
#include "storage/history/manifest_codec.h"
#include "storage/history/sealed_value.h"
#include "storage/history/snapshot_verifier.h"
#include "storage/history/version_scan.h"
#include "storage/model/key_parts.h"

namespace reinstate {
namespace {

// Tables that are larger than this are read past the cache: nobody reads their blocks again soon,
// and to make room for them costs more than what they push out is worth.
constexpr int64_t kMostCachedBytes = 4 << 20;

// The records of one tenant's table, checked against the sum that its manifest has for it.
class TableStream : public RecordStream {
 public:
  struct Origin {
    SnapshotId snapshot;
    TenantId tenant = TenantId::Ownerless();
    uint32_t table = 0;
    Sum expected;
  };

  TableStream(const HistoryDb* db, Origin origin, const RecordHasher& hasher)
      : origin_(std::move(origin)),
        hasher_(hasher),
        prefix_(
            KeyCodec::TablePrefix(origin_.snapshot.lineage, origin_.tenant.value(), origin_.table)),
        scan_(db, {.family = Family::kRecords,
                   .begin = prefix_,
                   .end = KeyCodec::PrefixEnd(prefix_),
                   .version = origin_.snapshot.version,
                   .fill_cache = origin_.expected.bytes < kMostCachedBytes}) {}

  absl::StatusOr<bool> Next(Record* record) override {
    if (!ended_.has_value()) {
      absl::StatusOr<bool> next = Read(record);
      if (next.ok() && *next) {
        return true;
      }
      ended_ = std::move(next);
    }
    return *ended_;
  }

 private:
  absl::StatusOr<bool> Read(Record* record) {
    ASSIGN_OR_RETURN(const bool found, scan_.Next());
    if (!found) {
      if (sum_ != origin_.expected) {
        return TellTableMismatch(origin_.snapshot, origin_.tenant, origin_.table, origin_.expected,
                                 sum_);
      }
      return false;
    }
    std::string_view rest = scan_.group().substr(prefix_.size());
    if (!ConsumeKeyPart(&rest, &key_) || !rest.empty()) {
      return MakeError(Reason::kCorrupt, "A key of a record in the history is malformed.");
    }
    record->payload.assign(scan_.record().payload);
    sum_.Add(hasher_.Hash(origin_.table, key_, record->payload),
             static_cast<int64_t>(key_.size() + record->payload.size()));
    record->key.Assign(key_);
    return true;
  }

  const Origin origin_;
  const RecordHasher hasher_;
  const std::string prefix_;
  RecordScan scan_;
  Sum sum_;
  std::string key_;
  std::optional<absl::StatusOr<bool>> ended_;
};

// Parses the manifest that a scan stands on; nothing if the tenant was gone.
absl::StatusOr<std::optional<TenantManifest>> ParseManifest(std::string_view tenant,
                                                            const VersionScan& scan) {
  ASSIGN_OR_RETURN(const std::string_view body, Unseal(scan.key(), scan.value()));
  ASSIGN_OR_RETURN(ManifestCodec::Manifest manifest, ManifestCodec::Decode(tenant, body));
  if (!manifest.exists) {
    return std::nullopt;
  }
  return std::move(manifest.content);
}

}  // namespace

absl::StatusOr<std::optional<TenantManifest>> PointReaderImpl::FindManifest(
    const TenantId& tenant) const {
  const SnapshotId& id = snapshot().id;
  const std::string prefix = KeyCodec::TenantPrefix(id.lineage, tenant.value());
  VersionScan scan(db_, {.family = Family::kManifests,
                         .begin = prefix,
                         .end = KeyCodec::PrefixEnd(prefix),
                         .version = id.version});
  ASSIGN_OR_RETURN(const bool found, scan.Next());
  if (!found) {
    return std::nullopt;
  }
  return ParseManifest(tenant.value(), scan);
}

absl::Status PointReaderImpl::CheckManifestsOnce() const {
  {
    MutexLock lock(&mu_);
    if (manifests_add_up_) {
      return absl::OkStatus();
    }
  }
  RETURN_IF_ERROR(SnapshotVerifier(db_, snapshot().id, hasher_).VerifyManifests());
  MutexLock lock(&mu_);
  manifests_add_up_ = true;
  return absl::OkStatus();
}

absl::StatusOr<TenantManifest> PointReaderImpl::GetTenant(const TenantId& tenant) const {
  ASSIGN_OR_RETURN(std::optional<TenantManifest> manifest, FindManifest(tenant));
  if (manifest.has_value()) {
    return *std::move(manifest);
  }
  RETURN_IF_ERROR(CheckManifestsOnce());
  return MakeError(Reason::kTenantNotAtPoint,
                   absl::StrCat("There was no tenant \"", Printable(tenant.value()),
                                "\" in snapshot ", snapshot().id.ToString(), "."));
}

absl::StatusOr<std::optional<PointReader::Peak>> PointReaderImpl::PeakBefore(
    const TenantId& tenant) const {
  const SnapshotId& id = snapshot().id;
  std::optional<Peak> peak;
  // Newest first: each version is what the snapshots from it up to the next newer one see.
  std::vector<SnapshotInfo> snapshots = catalog_->List(id.lineage);
  std::erase_if(snapshots, [&id](const SnapshotInfo& info) {
    return !info.visible() || info.id.version > id.version;
  });
  auto consider = [&](uint64_t version, const ManifestCodec::Manifest& manifest) {
    const bool seen = !snapshots.empty() && snapshots.back().id.version >= version;
    const int64_t rows = manifest.content.rows();
    if (seen && manifest.exists && (!peak.has_value() || rows > peak->rows)) {
      peak = Peak{.snapshot = snapshots.back().id, .rows = rows};
    }
    while (!snapshots.empty() && snapshots.back().id.version >= version) {
      snapshots.pop_back();
    }
  };
  const std::string prefix = KeyCodec::TenantPrefix(id.lineage, tenant.value());
  AllVersionsScan scan(db_, Family::kManifests, prefix);
  while (true) {
    ASSIGN_OR_RETURN(const bool found, scan.Next());
    if (!found) {
      return peak;
    }
    if (scan.version() <= id.version) {
      ASSIGN_OR_RETURN(const std::string_view body, Unseal(scan.key(), scan.value()));
      ASSIGN_OR_RETURN(const ManifestCodec::Manifest manifest,
                       ManifestCodec::Decode(tenant.value(), body));
      consider(scan.version(), manifest);
    }
  }
}

absl::StatusOr<std::unique_ptr<RecordStream>> PointReaderImpl::ReadTable(
    const TenantId& tenant, uint32_t table_number) const {
  const SnapshotInfo& info = snapshot();
  if (std::ranges::find(info.tables, table_number, &CoveredTable::number) == info.tables.end()) {
    return MakeError(Reason::kTableNotFound,
                     absl::StrCat("Snapshot ", info.id.ToString(), " does not cover table number ",
                                  table_number, "."));
  }
  ASSIGN_OR_RETURN(const TenantManifest manifest, GetTenant(tenant));
  TableStream::Origin origin{.snapshot = info.id, .tenant = tenant, .table = table_number};
  for (const TableSum& table : manifest.tables) {
    if (table.number == table_number) {
      origin.expected = table.sum;
    }
  }
  return std::make_unique<TableStream>(db_, std::move(origin), hasher_);
}

absl::StatusOr<std::vector<TenantManifest>> PointReaderImpl::ListTenants(
    const std::optional<TenantId>& after, int64_t limit) const {
  const SnapshotId& id = snapshot().id;
  // The one that stands for nobody has the first key and is not listed.
  const TenantId last = after.value_or(TenantId::Ownerless());
  VersionScan scan(db_,
                   {.family = Family::kManifests,
                    .begin = KeyCodec::PrefixEnd(KeyCodec::TenantPrefix(id.lineage, last.value())),
                    .end = KeyCodec::PrefixEnd(KeyCodec::LineagePrefix(id.lineage)),
                    .version = id.version});
  std::vector<TenantManifest> tenants;
  KeyCodec::ManifestGroup group;
  while (static_cast<int64_t>(tenants.size()) < limit) {
    ASSIGN_OR_RETURN(const bool found, scan.Next());
    if (!found) {
      RETURN_IF_ERROR(CheckManifestsOnce());  // the list may end here only if none is missing
      break;
    }
    if (!KeyCodec::ParseManifestGroup(scan.group(), &group)) {
      return MakeError(Reason::kCorrupt, "A key of a manifest in the history is malformed.");
    }
    ASSIGN_OR_RETURN(std::optional<TenantManifest> manifest, ParseManifest(group.tenant, scan));
    if (manifest.has_value()) {
      tenants.push_back(*std::move(manifest));
    }
  }
  return tenants;
}

}  // namespace reinstate

#include "storage/history/snapshot_verifier.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/history/key_codec.h"
#include "storage/history/sealed_value.h"

namespace reinstate {
namespace {

constexpr size_t kScanReadahead = 2 << 20;

Sum SumOf(const TenantManifest& manifest, uint32_t table) {
  for (const TableSum& each : manifest.tables) {
    if (each.number == table) {
      return each.sum;
    }
  }
  return {};
}

}  // namespace

absl::Status TellTableMismatch(const SnapshotId& id, const TenantId& tenant, uint32_t table,
                               const Sum& expected, const Sum& found) {
  return MakeError(
      Reason::kShortfall,
      absl::StrCat("In snapshot ", id.ToString(), ", tenant \"", Printable(tenant.value()),
                   "\", table number ", table, ", the history has ", found.ToString(),
                   " where its manifest says ", expected.ToString(),
                   ". Use another snapshot, and restore the history's folder from a copy."));
}

VersionScan::Options SnapshotVerifier::WholeLineage(Family family) const {
  const std::string prefix = KeyCodec::LineagePrefix(id_.lineage);
  return {.family = family,
          .begin = prefix,
          .end = KeyCodec::PrefixEnd(prefix),
          .version = id_.version,
          .readahead_bytes = kScanReadahead,
          .fill_cache = false};
}

absl::Status SnapshotVerifier::AddManifest(const VersionScan& scan,
                                           ManifestCodec::Manifest* manifest) {
  KeyCodec::ManifestGroup group;
  if (!KeyCodec::ParseManifestGroup(scan.group(), &group)) {
    return MakeError(Reason::kCorrupt, "A key of a manifest in the history is malformed.");
  }
  ASSIGN_OR_RETURN(const std::string_view body, Unseal(scan.key(), scan.value()));
  ASSIGN_OR_RETURN(*manifest, ManifestCodec::Decode(group.tenant, body));
  if (!manifest->exists) {
    return absl::OkStatus();
  }
  totals_.tenants += manifest->content.tenant.is_ownerless() ? 0 : 1;
  totals_.manifests_hash += ManifestCodec::Hash(hasher_, group.tenant, body);
  for (const TableSum& table : manifest->content.tables) {
    totals_.sum += table.sum;
  }
  return absl::OkStatus();
}

absl::Status SnapshotVerifier::CompareWithRoot() const {
  ASSIGN_OR_RETURN(const std::optional<StoredRoot> stored, ReadRoot(*db_, id_));
  if (!stored.has_value()) {
    return MakeError(Reason::kShortfall,
                     absl::StrCat("The root of snapshot ", id_.ToString(), " is gone."));
  }
  const history::Root& root = stored->root;
  if (totals_.tenants != root.tenants() || totals_.sum != SumFromProto(root.sum()) ||
      totals_.manifests_hash != ManifestsHash(root)) {
    return MakeError(
        Reason::kShortfall,
        absl::StrCat("In snapshot ", id_.ToString(), " the manifests of ", totals_.tenants,
                     " tenants were found, with ", totals_.sum.rows, " rows, and they do not add ",
                     "up to its root, which has ", root.tenants(), " tenants with ",
                     root.sum().rows(), " rows. Restore the history's folder from a copy."));
  }
  return absl::OkStatus();
}

absl::Status SnapshotVerifier::VerifyManifests() {
  VersionScan manifests(db_, WholeLineage(Family::kManifests));
  ManifestCodec::Manifest manifest;
  totals_ = {};
  while (true) {
    ASSIGN_OR_RETURN(const bool found, manifests.Next());
    if (!found) {
      return CompareWithRoot();
    }
    RETURN_IF_ERROR(AddManifest(manifests, &manifest));
  }
}

absl::Status SnapshotVerifier::NextRecord(RecordScan* records) {
  ASSIGN_OR_RETURN(at_record_, records->Next());
  return absl::OkStatus();
}

absl::Status SnapshotVerifier::VerifyTenant(const TenantManifest& manifest, RecordScan* records,
                                            RunWatch::Tally* tally) {
  const std::string prefix = KeyCodec::TenantPrefix(id_.lineage, manifest.tenant.value());
  std::map<uint32_t, Sum> sums;
  KeyCodec::RecordGroup group;
  // A record before the prefix is of a tenant without a manifest.
  while (at_record_ && records->group() < KeyCodec::PrefixEnd(prefix)) {
    if (!KeyCodec::ParseRecordGroup(records->group(), &group)) {
      return MakeError(Reason::kCorrupt, "A key of a record in the history is malformed.");
    }
    const std::string_view payload = records->record().payload;
    const auto bytes = static_cast<int64_t>(group.row_key.size() + payload.size());
    if (group.tenant != manifest.tenant.value()) {
      return TellTableMismatch(id_, TenantId::FromStored(group.tenant), group.table, {},
                               {.rows = 1, .bytes = bytes});
    }
    sums[group.table].Add(hasher_.Hash(group.table, group.row_key, payload), bytes);
    RETURN_IF_ERROR(tally->CountRow(bytes));
    RETURN_IF_ERROR(NextRecord(records));
  }
  for (const TableSum& table : manifest.tables) {
    sums.try_emplace(table.number);
  }
  for (const auto& [table, sum] : sums) {
    if (const Sum expected = SumOf(manifest, table); sum != expected) {
      return TellTableMismatch(id_, manifest.tenant, table, expected, sum);
    }
  }
  return absl::OkStatus();
}

absl::Status SnapshotVerifier::VerifyAll(FaultPoints* faults, RunWatch* watch) {
  RunWatch::Tally tally(watch);
  VersionScan manifests(db_, WholeLineage(Family::kManifests));
  RecordScan records(db_, WholeLineage(Family::kRecords));
  RETURN_IF_ERROR(NextRecord(&records));
  ManifestCodec::Manifest manifest;
  totals_ = {};
  while (true) {
    ASSIGN_OR_RETURN(const bool found, manifests.Next());
    if (!found) {
      break;
    }
    if (faults != nullptr) {
      RETURN_IF_ERROR(faults->Hit("history.verifying"));
    }
    RETURN_IF_ERROR(watch->CheckCancelled());
    RETURN_IF_ERROR(AddManifest(manifests, &manifest));
    RETURN_IF_ERROR(VerifyTenant(manifest.content, &records, &tally));
  }
  if (at_record_) {
    return MakeError(Reason::kShortfall, absl::StrCat("Snapshot ", id_.ToString(),
                                                      " has records of a tenant that has no "
                                                      "manifest."));
  }
  return CompareWithRoot();
}

}  // namespace reinstate

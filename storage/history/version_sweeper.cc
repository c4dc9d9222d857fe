#include "storage/history/version_sweeper.h"

#include <algorithm>
#include <limits>

#include "storage/base/status_macros.h"
#include "storage/history/all_versions_scan.h"
#include "storage/history/key_codec.h"
#include "storage/history/manifest_codec.h"
#include "storage/history/record_codec.h"
#include "storage/history/sealed_value.h"

namespace reinstate {
namespace {

absl::StatusOr<bool> IsTombstone(Family family, const AllVersionsScan& scan) {
  if (family == Family::kRecords) {
    ASSIGN_OR_RETURN(const StoredRecord record, RecordCodec::Decode(scan.key(), scan.value()));
    return record.tombstone;
  }
  ASSIGN_OR_RETURN(const std::string_view body, Unseal(scan.key(), scan.value()));
  ASSIGN_OR_RETURN(const ManifestCodec::Manifest manifest, ManifestCodec::Decode("", body));
  return !manifest.exists;
}

}  // namespace

std::vector<GroupVersion> UnneededVersions(const std::vector<GroupVersion>& group,
                                           const std::set<uint64_t>& kept) {
  std::vector<bool> needed;
  uint64_t next_newer = std::numeric_limits<uint64_t>::max();
  for (const GroupVersion& each : group) {
    const auto seer = kept.lower_bound(each.version);
    needed.push_back(seer != kept.end() && *seer < next_newer);
    next_newer = each.version;
  }
  for (size_t i = group.size(); i-- > 0 && (!needed[i] || group[i].tombstone);) {
    needed[i] = false;  // nothing is left below this one
  }
  std::vector<GroupVersion> unneeded;
  for (size_t i = 0; i < group.size(); ++i) {
    if (!needed[i]) {
      unneeded.push_back(group[i]);
    }
  }
  return unneeded;
}

absl::Status VersionSweeper::Sweep(const std::vector<uint64_t>& expired) {
  SstSink records(db_, db_->TableOptions(Family::kRecords), "expired-records");
  SstSink manifests(db_, db_->TableOptions(Family::kManifests), "expired-manifests");
  SstSink roots(db_, db_->TableOptions(Family::kRoots), "expired-roots");
  RETURN_IF_ERROR(SweepFamily(Family::kRecords, &records));
  RETURN_IF_ERROR(SweepFamily(Family::kManifests, &manifests));
  std::vector<uint64_t> ascending = expired;
  std::ranges::sort(ascending);
  for (const uint64_t version : ascending) {
    RETURN_IF_ERROR(roots.Delete(KeyCodec::RootKey({.lineage = lineage_, .version = version})));
  }
  RETURN_IF_ERROR(roots.Finish());
  return db_->Ingest({{.family = Family::kRecords, .files = records.files()},
                      {.family = Family::kManifests, .files = manifests.files()},
                      {.family = Family::kRoots, .files = roots.files()}});
}

absl::Status VersionSweeper::SweepFamily(Family family, SstSink* deletions) {
  AllVersionsScan scan(db_, family, KeyCodec::LineagePrefix(lineage_));
  RunWatch::Tally tally(watch_);
  std::string group;
  std::vector<GroupVersion> versions;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, scan.Next());
    if (!found) {
      break;
    }
    if (scan.group() != group) {
      RETURN_IF_ERROR(SweepGroup(group, &versions, deletions));
      group = scan.group();
    }
    ASSIGN_OR_RETURN(const bool tombstone, IsTombstone(family, scan));
    versions.push_back({.version = scan.version(), .tombstone = tombstone});
    RETURN_IF_ERROR(tally.CountRow(static_cast<int64_t>(scan.value().size())));
  }
  RETURN_IF_ERROR(SweepGroup(group, &versions, deletions));
  return deletions->Finish();
}

absl::Status VersionSweeper::SweepGroup(std::string_view group, std::vector<GroupVersion>* versions,
                                        SstSink* deletions) {
  for (const GroupVersion& each : UnneededVersions(*versions, kept_)) {
    RETURN_IF_ERROR(deletions->Delete(KeyCodec::Versioned(group, each.version)));
  }
  versions->clear();
  return absl::OkStatus();
}

absl::Status VersionSweeper::Compact() {
  const std::string begin = KeyCodec::LineagePrefix(lineage_);
  const std::string end = KeyCodec::PrefixEnd(begin);
  for (const Family family : {Family::kRecords, Family::kManifests, Family::kRoots}) {
    RETURN_IF_ERROR(
        db_->Compact(family, begin, end, [this] { return !watch_->CheckCancelled().ok(); }));
  }
  return absl::OkStatus();
}

}  // namespace reinstate

#include "server/snapshot/tenant_roster.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "server/snapshot/label_text.h"
#include "server/snapshot/visible_versions.h"
#include "storage/base/status_macros.h"

namespace reinstate {

// Makes a roster of manifests, which come tenant by tenant and newest first.
class RosterBuilder {
 public:
  RosterBuilder(VisibleVersions visible, const SnapshotId& point, TenantRoster* roster)
      : visible_(std::move(visible)), point_(point), roster_(roster) {}

  void Visit(const ManifestVersion& version) {
    const TenantManifest& manifest = version.manifest;
    if (manifest.tenant.is_ownerless()) {
      return;
    }
    if (manifest.tenant != tenant_) {
      tenant_ = manifest.tenant;
      listed_ = false;
      point_passed_ = false;
      superseded_at_ = std::numeric_limits<uint64_t>::max();
    }
    const uint64_t changed_at = version.snapshot.version;
    const bool seen = visible_.NewestBetween(changed_at, superseded_at_) != VisibleVersions::kNone;
    superseded_at_ = changed_at;
    const bool at_point = changed_at <= point_.version && !std::exchange(point_passed_, true);
    // The point counts even if somebody has hidden it since it was opened.
    if (version.exists && (seen || at_point)) {
      See(manifest, at_point);
    }
  }

 private:
  void See(const TenantManifest& manifest, bool at_point) {
    if (!std::exchange(listed_, true)) {
      roster_->entries_.push_back({.tenant = manifest.tenant,
                                   .label = LabelOf(manifest),
                                   .at_point = std::nullopt,
                                   .rows_live = std::nullopt});
      first_name_ = roster_->names_.size();
      AddName(/*is_id=*/true, manifest.tenant.value());
    }
    if (at_point) {
      TenantRoster::Entry& entry = roster_->entries_.back();
      entry.label = LabelOf(manifest);
      entry.at_point = TenantRoster::Size{.rows = manifest.rows(), .bytes = manifest.bytes()};
    }
    for (const std::string& label : manifest.labels) {
      AddName(/*is_id=*/false, label);
    }
  }

  static std::string LabelOf(const TenantManifest& manifest) {
    return manifest.labels.empty() ? "" : manifest.labels.front();
  }

  void AddName(bool is_id, const std::string& text) {
    const auto first = roster_->names_.begin() + static_cast<std::ptrdiff_t>(first_name_);
    const bool known =
        std::any_of(first, roster_->names_.end(),
                    [&](const TenantRoster::Name& name) { return name.text == text; });
    if (!known) {
      roster_->AddName(is_id, text);
    }
  }

  const VisibleVersions visible_;
  const SnapshotId point_;
  TenantRoster* const roster_;
  TenantId tenant_ = TenantId::Ownerless();
  bool listed_ = false;        // the tenant has an entry
  bool point_passed_ = false;  // what it was at the point has been visited
  uint64_t superseded_at_ = 0;
  size_t first_name_ = 0;  // of the tenant
};

absl::StatusOr<TenantRoster> TenantRoster::Load(const History& history, const SnapshotId& point) {
  ASSIGN_OR_RETURN(VisibleVersions visible, VisibleVersions::Of(history, point.lineage));
  TenantRoster roster;
  RosterBuilder builder(std::move(visible), point, &roster);
  RETURN_IF_ERROR(history.ScanManifests(point.lineage, [&](const ManifestVersion& version) {
    builder.Visit(version);
    return true;
  }));
  return roster;
}

absl::Status TenantRoster::CountLive(LiveStore* live) {
  ASSIGN_OR_RETURN(const std::unique_ptr<TenantCountStream> counts, live->CountTenants());
  const size_t known = entries_.size();
  for (Entry& entry : entries_) {
    entry.rows_live = 0;
  }
  TenantCount count;
  size_t next = 0;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, counts->Next(&count));
    if (!more) {
      return absl::OkStatus();
    }
    if (count.tenant.is_ownerless()) {
      continue;
    }
    while (next < known && entries_[next].tenant < count.tenant) {
      ++next;
    }
    if (next < known && entries_[next].tenant == count.tenant) {
      entries_[next].rows_live = count.rows;
    } else {
      entries_.push_back(
          {.tenant = count.tenant, .label = "", .at_point = std::nullopt, .rows_live = count.rows});
      AddName(/*is_id=*/true, count.tenant.value());
    }
  }
}

void TenantRoster::AddName(bool is_id, const std::string& text) {
  const std::u32string normalised = NormalisedLabel(text);
  names_.push_back({.entry = static_cast<uint32_t>(entries_.size() - 1),
                    .is_id = is_id,
                    .text = text,
                    .normalised_size = static_cast<uint32_t>(normalised.size()),
                    .normalised_begin = normalised_.size()});
  normalised_ += normalised;
}

}  // namespace reinstate

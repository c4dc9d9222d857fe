#include "server/snapshot/tenant_directory.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <tuple>
#include <utility>

#include "server/snapshot/label_text.h"
#include "server/snapshot/visible_versions.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr int64_t kManifestsAtOnce = 1000;

// Goes through the manifests of a lineage, tenant by tenant and newest first, and keeps the best
// match of each tenant.
class Search {
 public:
  Search(const std::string& query, VisibleVersions visible)
      : query_(query), normalised_query_(NormalisedLabel(query)), visible_(std::move(visible)) {}

  void Visit(const ManifestVersion& version) {
    const TenantId& tenant = version.manifest.tenant;
    if (tenant != current_.tenant) {
      Finish();
      current_ = TenantMatch{.tenant = tenant};
      superseded_at_ = std::numeric_limits<uint64_t>::max();
    }
    const uint64_t seen = visible_.NewestBetween(version.snapshot.version, superseded_at_);
    superseded_at_ = version.snapshot.version;
    if (!version.exists || seen == VisibleVersions::kNone || tenant.is_ownerless()) {
      return;
    }
    if (current_.last_seen.version == VisibleVersions::kNone) {
      current_.last_seen = SnapshotId{.lineage = version.snapshot.lineage, .version = seen};
      current_.in_newest = seen == visible_.newest();
      current_.labels = version.manifest.labels;
      Consider(tenant.value());
    } else if (version.manifest.labels == considered_) {
      return;
    }
    considered_ = version.manifest.labels;
    for (const std::string& label : considered_) {
      Consider(label);
    }
  }

  // After the last Visit.
  std::vector<TenantMatch> TakeBest(int64_t limit) {
    Finish();
    const auto rank = [](const TenantMatch& match) {
      return std::tuple(match.kind, -match.similarity, !match.in_newest, match.tenant.value());
    };
    std::sort(matches_.begin(), matches_.end(),
              [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    if (std::cmp_greater(matches_.size(), limit)) {
      matches_.erase(matches_.begin() + limit, matches_.end());
    }
    return std::move(matches_);
  }

 private:
  void Consider(const std::string& text) {
    TenantMatch match{.kind = MatchKind::kExact, .similarity = 1};
    if (text != query_) {
      const std::u32string normalised = NormalisedLabel(text);
      match.kind = MatchKind::kNormalised;
      if (normalised.empty() || normalised != normalised_query_) {
        match.kind = MatchKind::kSimilar;
        match.similarity = LabelSimilarity(normalised_query_, normalised);
      }
    }
    if (match.similarity > 0 && (current_.similarity == 0 || Better(match, current_))) {
      current_.matched = text;
      current_.kind = match.kind;
      current_.similarity = match.similarity;
    }
  }

  static bool Better(const TenantMatch& a, const TenantMatch& b) {
    return std::tuple(a.kind, -a.similarity) < std::tuple(b.kind, -b.similarity);
  }

  void Finish() {
    if (current_.similarity > 0) {
      matches_.push_back(std::move(current_));
    }
  }

  const std::string& query_;
  const std::u32string normalised_query_;
  const VisibleVersions visible_;
  TenantMatch current_;  // its last_seen and similarity are 0 as long as there is none
  uint64_t superseded_at_ = std::numeric_limits<uint64_t>::max();
  std::vector<std::string> considered_;  // the labels of current_'s tenant looked at last
  std::vector<TenantMatch> matches_;
};

// Steps through the live counts beside an ascending walk over tenants.
class LiveCounts {
 public:
  explicit LiveCounts(std::unique_ptr<TenantCountStream> stream) : stream_(std::move(stream)) {}

  // The rows of `tenant`; calls come with ascending ids.
  absl::StatusOr<int64_t> RowsOf(const TenantId& tenant) {
    while (!ended_ && (!started_ || count_.tenant < tenant)) {
      started_ = true;
      ASSIGN_OR_RETURN(const bool found, stream_->Next(&count_));
      ended_ = !found;
    }
    return !ended_ && count_.tenant == tenant ? count_.rows : 0;
  }

 private:
  const std::unique_ptr<TenantCountStream> stream_;
  TenantCount count_;
  bool started_ = false;
  bool ended_ = false;
};

}  // namespace

bool IsLost(int64_t rows_live, int64_t rows_at_point, double lost_fraction) {
  return static_cast<double>(rows_live) < lost_fraction * static_cast<double>(rows_at_point);
}

absl::StatusOr<std::vector<TenantMatch>> TenantDirectory::Find(uint32_t lineage,
                                                               const std::string& query,
                                                               int64_t limit) const {
  if (query.empty()) {
    return MakeError(Reason::kInvalidArgument,
                     "The query is empty; give a tenant's name, a part of it, or its id.");
  }
  ASSIGN_OR_RETURN(VisibleVersions visible, VisibleVersions::Of(*history_, lineage));
  Search search(query, std::move(visible));
  RETURN_IF_ERROR(history_->ScanManifests(lineage, [&](const ManifestVersion& version) {
    search.Visit(version);
    return true;
  }));
  return search.TakeBest(std::max<int64_t>(limit, 0));
}

absl::StatusOr<std::vector<LostTenant>> TenantDirectory::ListLost(
    const SnapshotId& point, LiveStore* live, double lost_fraction,
    const std::optional<TenantId>& after, int64_t limit) const {
  ASSIGN_OR_RETURN(const std::unique_ptr<PointReader> reader, history_->OpenPoint(point));
  ASSIGN_OR_RETURN(std::unique_ptr<TenantCountStream> stream, live->CountTenants());
  LiveCounts counts(std::move(stream));

  std::vector<LostTenant> lost;
  std::optional<TenantId> last = after;
  bool more = true;
  while (more && std::cmp_less(lost.size(), limit)) {
    ASSIGN_OR_RETURN(std::vector<TenantManifest> page, reader->ListTenants(last, kManifestsAtOnce));
    more = std::cmp_equal(page.size(), kManifestsAtOnce);
    for (TenantManifest& manifest : page) {
      last = manifest.tenant;
      ASSIGN_OR_RETURN(const int64_t rows_live, counts.RowsOf(manifest.tenant));
      const bool counts_as_lost =
          !manifest.tenant.is_ownerless() && IsLost(rows_live, manifest.rows(), lost_fraction);
      if (counts_as_lost && std::cmp_less(lost.size(), limit)) {
        lost.push_back(LostTenant{.at_point = std::move(manifest), .rows_live = rows_live});
      }
    }
  }
  return lost;
}

}  // namespace reinstate

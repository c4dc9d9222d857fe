#include "server/rpc/tenant_finder.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/rpc/convert_common.h"
#include "server/rpc/request_checks.h"
#include "server/snapshot/tenant_directory.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr int kDefaultLimit = 20;
constexpr int kMaxLimit = 100;
constexpr size_t kMaxQueryBytes = 1024;

// A match and the store that it is in.
struct StoreMatch {
  const ServedStore* store = nullptr;
  TenantMatch match;
};

// Best first.
auto Rank(const StoreMatch& found) {
  return std::tuple(static_cast<int>(found.match.kind), -found.match.similarity, found.store->name,
                    found.match.tenant);
}

v1::TenantMatchKind KindToWire(MatchKind kind) {
  switch (kind) {
    case MatchKind::kExact:
      return v1::TENANT_MATCH_KIND_EXACT;
    case MatchKind::kNormalised:
      return v1::TENANT_MATCH_KIND_NORMALISED;
    case MatchKind::kSimilar:
      return v1::TENANT_MATCH_KIND_SIMILAR;
  }
  return v1::TENANT_MATCH_KIND_UNSPECIFIED;
}

void MatchToWire(const StoreMatch& found, const History& history, v1::TenantMatch* wire) {
  const TenantMatch& match = found.match;
  TenantManifest names;
  names.tenant = match.tenant;
  names.labels = match.labels;
  ToWire(found.store->name, names, wire->mutable_ref());
  for (const std::string& label : match.labels) {
    wire->add_labels(label);
  }
  wire->set_matched_text(match.matched);
  wire->set_kind(KindToWire(match.kind));
  wire->set_score(match.similarity);
  wire->set_last_seen(match.last_seen.ToString());
  // Retention may have taken it meanwhile, and the live store may not answer: no reasons not to
  // find anybody.
  if (const auto snapshot = history.GetSnapshot(match.last_seen); snapshot.ok()) {
    ToWire(snapshot->instant, wire->mutable_last_seen_instant());
  }
  wire->set_in_latest(match.in_newest);
  if (const auto live = found.store->live->EstimateTenant(match.tenant); live.ok()) {
    wire->mutable_live()->set_rows(live->rows);
    wire->mutable_live()->set_bytes(live->bytes);
  }
}

}  // namespace

absl::StatusOr<v1::FindTenantsResponse> FindTenants(const ServiceParts& parts,
                                                    const v1::FindTenantsRequest& request) {
  RETURN_IF_ERROR(CheckPresent("query", request.query()));
  RETURN_IF_ERROR(CheckLength("query", request.query(), kMaxQueryBytes));
  if (request.limit() < 0 || request.limit() > kMaxLimit) {
    return FieldError("limit",
                      absl::StrCat("must be 1 to ", kMaxLimit, ", or 0 for ", kDefaultLimit, "."));
  }
  const size_t limit = static_cast<size_t>(request.limit() == 0 ? kDefaultLimit : request.limit());
  std::vector<const ServedStore*> stores;
  if (request.store().empty()) {
    stores = parts.stores->List();
  } else {
    ASSIGN_OR_RETURN(const ServedStore* store, parts.stores->Find(request.store()));
    stores.push_back(store);
  }

  std::vector<StoreMatch> all;
  for (const ServedStore* store : stores) {
    ASSIGN_OR_RETURN(std::vector<TenantMatch> matches,
                     TenantDirectory(parts.history)
                         .Find(store->lineage, request.query(), static_cast<int64_t>(limit) + 1));
    for (TenantMatch& match : matches) {
      all.push_back({store, std::move(match)});
    }
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const StoreMatch& a, const StoreMatch& b) { return Rank(a) < Rank(b); });
  v1::FindTenantsResponse response;
  response.set_truncated(all.size() > limit);
  all.resize(std::min(all.size(), limit));
  for (const StoreMatch& found : all) {
    MatchToWire(found, *parts.history, response.add_matches());
  }
  return response;
}

}  // namespace reinstate

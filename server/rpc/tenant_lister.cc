#include "server/rpc/tenant_lister.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/rpc/convert_common.h"
#include "server/rpc/opened_point.h"
#include "server/rpc/page_query.h"
#include "server/rpc/request_checks.h"
#include "server/snapshot/tenant_directory.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr int64_t kManifestsAtATime = 1000;

// A list that is being answered. The position of a page is the resolved snapshot (empty for live)
// and the last tenant.
struct Listing {
  const ServiceParts& parts;
  const ServedStore& store;
  const PageQuery& page;
  v1::ListTenantsResponse response;

  std::optional<TenantId> after() const {
    return page.first() ? std::nullopt
                        : std::optional<TenantId>(TenantId::FromStored(page.position(1)));
  }

  bool full() const { return response.tenants_size() == page.size(); }

  void End(const std::string& snapshot) {
    response.set_next_page_token(
        page.Token({snapshot, response.tenants().rbegin()->ref().tenant()}));
  }
};

void ManifestToWire(const std::string& store, const TenantManifest& manifest,
                    v1::TenantSummary* wire) {
  ToWire(store, manifest, wire->mutable_ref());
  for (const std::string& label : manifest.labels) {
    wire->add_labels(label);
  }
}

// Resolved by the first page; later ones keep to it, whatever `at` means by then.
absl::StatusOr<OpenedPoint> OpenListedPoint(Listing* listing, const std::string& at) {
  RETURN_IF_ERROR(CheckPresent("at", at));
  ASSIGN_OR_RETURN(OpenedPoint opened,
                   OpenPointAt(listing->parts, listing->store,
                               listing->page.first() ? at : listing->page.position(0)));
  opened.point.set_requested(at);
  ToWire(opened.point, listing->response.mutable_point());
  return opened;
}

absl::Status ListAt(const std::string& at, Listing* listing) {
  ASSIGN_OR_RETURN(const OpenedPoint opened, OpenListedPoint(listing, at));
  // One more than the page shows whether another follows; and perhaps one that is nobody.
  ASSIGN_OR_RETURN(const std::vector<TenantManifest> manifests,
                   opened.reader->ListTenants(listing->after(), listing->page.size() + 2));
  for (const TenantManifest& manifest : manifests) {
    if (manifest.tenant.is_ownerless()) {
      continue;
    }
    if (listing->full()) {
      listing->End(opened.point.snapshot());
      break;
    }
    v1::TenantSummary* summary = listing->response.add_tenants();
    ManifestToWire(listing->store.name, manifest, summary);
    ToWire(manifest, summary->mutable_at_point());
  }
  return absl::OkStatus();
}

absl::Status ListLost(const v1::ListTenantsRequest& request, Listing* listing) {
  ASSIGN_OR_RETURN(const double fraction, ParseLostFraction(request.lost_fraction()));
  ASSIGN_OR_RETURN(const OpenedPoint opened, OpenListedPoint(listing, request.lost_since()));
  ASSIGN_OR_RETURN(const std::vector<LostTenant> lost,
                   TenantDirectory(listing->parts.history)
                       .ListLost(opened.reader->snapshot().id, listing->store.live, fraction,
                                 listing->after(), listing->page.size() + 1));
  for (const LostTenant& tenant : lost) {
    if (listing->full()) {
      listing->End(opened.point.snapshot());
      break;
    }
    v1::TenantSummary* summary = listing->response.add_tenants();
    ManifestToWire(listing->store.name, tenant.at_point, summary);
    ToWire(tenant.at_point, summary->mutable_at_point());
    summary->set_live_rows(tenant.rows_live);
    summary->set_loss(tenant.rows_live == 0 ? v1::TENANT_LOSS_GONE : v1::TENANT_LOSS_SHRUNKEN);
  }
  return absl::OkStatus();
}

// The manifests of one snapshot, asked for by ascending tenants.
class ManifestCursor {
 public:
  // None are found if `reader` is null.
  explicit ManifestCursor(const PointReader* reader) : reader_(reader), ended_(reader == nullptr) {}

  // The manifest of `tenant`, or nullptr. Borrowed until the next call.
  absl::StatusOr<const TenantManifest*> Find(const TenantId& tenant) {
    while (true) {
      while (next_ < manifests_.size() && manifests_[next_].tenant < tenant) {
        ++next_;
      }
      if (next_ < manifests_.size()) {
        return manifests_[next_].tenant == tenant ? &manifests_[next_] : nullptr;
      }
      if (ended_) {
        return nullptr;
      }
      std::optional<TenantId> after;
      if (!manifests_.empty()) {
        after = manifests_.back().tenant;
      }
      ASSIGN_OR_RETURN(manifests_, reader_->ListTenants(after, kManifestsAtATime));
      next_ = 0;
      ended_ = static_cast<int64_t>(manifests_.size()) < kManifestsAtATime;
    }
  }

 private:
  const PointReader* const reader_;
  std::vector<TenantManifest> manifests_;
  size_t next_ = 0;
  bool ended_;
};

absl::Status ListLive(Listing* listing) {
  const std::optional<TenantId> after = listing->after();
  ASSIGN_OR_RETURN(const std::unique_ptr<PointReader> newest,
                   OpenNewest(listing->parts, listing->store));
  ManifestCursor manifests(newest.get());
  ASSIGN_OR_RETURN(const std::unique_ptr<TenantCountStream> counts,
                   listing->store.live->CountTenants());
  TenantCount count;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, counts->Next(&count));
    if (!more) {
      return absl::OkStatus();
    }
    if (count.tenant.is_ownerless() || (after.has_value() && count.tenant <= *after)) {
      continue;
    }
    if (listing->full()) {
      listing->End("");
      return absl::OkStatus();
    }
    v1::TenantSummary* summary = listing->response.add_tenants();
    ASSIGN_OR_RETURN(const TenantManifest* manifest, manifests.Find(count.tenant));
    TenantManifest unknown;
    unknown.tenant = count.tenant;
    ManifestToWire(listing->store.name, manifest == nullptr ? unknown : *manifest, summary);
    summary->set_live_rows(count.rows);
  }
}

}  // namespace

absl::StatusOr<v1::ListTenantsResponse> ListTenants(const ServiceParts& parts,
                                                    const v1::ListTenantsRequest& request) {
  ASSIGN_OR_RETURN(const ServedStore* store, parts.stores->Find(request.store()));
  ASSIGN_OR_RETURN(const PageQuery page, PageQuery::Parse(request, 2));
  Listing listing{parts, *store, page, {}};
  switch (request.which_case()) {
    case v1::ListTenantsRequest::kAt:
      RETURN_IF_ERROR(ListAt(request.at(), &listing));
      break;
    case v1::ListTenantsRequest::kLive:
      RETURN_IF_ERROR(ListLive(&listing));
      break;
    case v1::ListTenantsRequest::kLostSince:
      RETURN_IF_ERROR(ListLost(request, &listing));
      break;
    case v1::ListTenantsRequest::WHICH_NOT_SET:
      return FieldError("which", "is required: `at`, `live` or `lost_since`.");
  }
  return std::move(listing.response);
}

}  // namespace reinstate

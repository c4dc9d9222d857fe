#include "storage/live/remote/remote_tenant_counts.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/remote/wire_status.h"
#include "storage/live/remote/wire_values.h"

namespace reinstate {
namespace {

using std::chrono::steady_clock;

}  // namespace

RemoteTenantCounts::RemoteTenantCounts(v1::LiveStoreService::Stub* stub,
                                       const RemoteStoreOptions& options,
                                       std::span<const TenantId> tenants)
    : stub_(stub),
      options_(options),
      tenants_(
          &calls_,
          [&](grpc::ClientContext* context) {
            v1::CountTenantsRequest request;
            request.set_store(options.store);
            for (const TenantId& tenant : tenants) {
              request.add_tenants(tenant.value());
            }
            return stub->CountTenants(context, request);
          },
          [](v1::CountTenantsResponse* response) { return response->mutable_tenants(); }),
      last_heard_(steady_clock::now()),
      probe_(options.lease / 4, [this] { Probe(); }) {}

RemoteTenantCounts::~RemoteTenantCounts() {
  calls_.End(MakeError(Reason::kCancelled, "the tenants are not counted to the end"));
}

void RemoteTenantCounts::Probe() {
  v1::GetCapabilitiesRequest request;
  request.set_store(options_.store);
  v1::GetCapabilitiesResponse response;
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + options_.lease / 4));
  const CallGroup::Member member(&calls_, &context);
  const auto now = steady_clock::now();
  if (stub_->GetCapabilities(&context, request, &response).ok()) {
    last_heard_ = now;
  } else if (absl::FromChrono(steady_clock::now() - last_heard_) > options_.lease) {
    calls_.End(
        MakeError(Reason::kUnavailable, absl::StrCat("the store's server has not been heard for ",
                                                     absl::FormatDuration(options_.lease))));
  }
}

absl::StatusOr<bool> RemoteTenantCounts::Next(TenantCount* count) {
  RETURN_IF_ERROR(status_);
  absl::StatusOr<bool> found = Read(count);
  status_ = found.status();
  return found;
}

absl::StatusOr<bool> RemoteTenantCounts::Read(TenantCount* count) {
  ASSIGN_OR_RETURN(const v1::TenantRowCount* const entry, tenants_.Next());
  if (entry == nullptr) {
    return false;
  }
  ASSIGN_OR_RETURN(*count, live_wire::FromWire(*entry));
  if (std::exchange(any_, true) && count->tenant.value() <= last_) {
    return live_wire::ProtocolBroken("the tenants that are counted do not ascend");
  }
  last_ = count->tenant.value();
  return true;
}

}  // namespace reinstate

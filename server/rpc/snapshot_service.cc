#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "reinstate/v1/snapshot_service.grpc.pb.h"
#include "server/restore/point_resolver.h"
#include "server/rpc/audit_draft.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/convert_common.h"
#include "server/rpc/convert_snapshot.h"
#include "server/rpc/idempotent.h"
#include "server/rpc/import_sink.h"
#include "server/rpc/page_query.h"
#include "server/rpc/request_checks.h"
#include "server/rpc/services.h"
#include "server/snapshot/store_lineages.h"

namespace reinstate {
namespace {

using Wire = v1::SnapshotService;
using Base = RawService<
    Wire::Service, Wire::WithRawCallbackMethod_TakeSnapshot,
    Wire::WithRawCallbackMethod_GetSnapshot, Wire::WithRawCallbackMethod_ListSnapshots,
    Wire::WithRawCallbackMethod_VerifySnapshot, Wire::WithRawCallbackMethod_HoldSnapshot,
    Wire::WithRawCallbackMethod_ReleaseSnapshot, Wire::WithRawCallbackMethod_DeleteSnapshot,
    Wire::WithRawCallbackMethod_UndeleteSnapshot, Wire::WithRawCallbackMethod_LiftCollapse,
    Wire::WithRawCallbackMethod_ResolvePoint, Wire::WithRawCallbackMethod_ApplyRetention,
    Wire::WithRawCallbackMethod_ImportSnapshot>;

// A snapshot and whose it is.
struct Found {
  std::string store;
  std::string lineage_name;  // empty: the store's own
  SnapshotInfo info;
};

// Newest first; of the same instant the later version first.
auto NewestFirst(const SnapshotInfo& info) {
  return std::tuple(-absl::ToUnixMicros(info.instant), ~info.id.lineage, ~info.id.version);
}

class SnapshotServiceImpl final : public Base {
 public:
  SnapshotServiceImpl(CallGate* gate, const ServiceParts& parts) : gate_(gate), parts_(parts) {}

  grpc::ServerUnaryReactor* TakeSnapshot(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &SnapshotServiceImpl::Take);
  }
  grpc::ServerUnaryReactor* GetSnapshot(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &SnapshotServiceImpl::Get);
  }
  grpc::ServerUnaryReactor* ListSnapshots(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &SnapshotServiceImpl::List);
  }
  grpc::ServerUnaryReactor* VerifySnapshot(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &SnapshotServiceImpl::Verify);
  }
  grpc::ServerUnaryReactor* HoldSnapshot(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &SnapshotServiceImpl::Hold);
  }
  grpc::ServerUnaryReactor* ReleaseSnapshot(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* request,
                                            grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &SnapshotServiceImpl::Release);
  }
  grpc::ServerUnaryReactor* DeleteSnapshot(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &SnapshotServiceImpl::Delete);
  }
  grpc::ServerUnaryReactor* UndeleteSnapshot(grpc::CallbackServerContext* context,
                                             const grpc::ByteBuffer* request,
                                             grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &SnapshotServiceImpl::Undelete);
  }
  grpc::ServerUnaryReactor* LiftCollapse(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &SnapshotServiceImpl::Lift);
  }
  grpc::ServerUnaryReactor* ResolvePoint(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &SnapshotServiceImpl::Resolve);
  }
  grpc::ServerUnaryReactor* ApplyRetention(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &SnapshotServiceImpl::Retain);
  }
  grpc::ServerReadReactor<grpc::ByteBuffer>* ImportSnapshot(grpc::CallbackServerContext* context,
                                                            grpc::ByteBuffer* response) override {
    return gate_->ClientStream<v1::ImportSnapshotRequest, v1::Job>(response,
                                                                   MakeImportSink(parts_, context));
  }

 private:
  absl::StatusOr<v1::Job> Take(const Call& call, const v1::TakeSnapshotRequest& request);
  absl::StatusOr<v1::Snapshot> Get(const Call& call, const v1::GetSnapshotRequest& request);
  absl::StatusOr<v1::ListSnapshotsResponse> List(const Call& call,
                                                 const v1::ListSnapshotsRequest& request);
  absl::StatusOr<v1::Job> Verify(const Call& call, const v1::VerifySnapshotRequest& request);
  absl::StatusOr<v1::Snapshot> Hold(const Call& call, const v1::HoldSnapshotRequest& request);
  absl::StatusOr<v1::Snapshot> Release(const Call& call, const v1::ReleaseSnapshotRequest& request);
  absl::StatusOr<v1::Snapshot> Delete(const Call& call, const v1::DeleteSnapshotRequest& request);
  absl::StatusOr<v1::Snapshot> Undelete(const Call& call,
                                        const v1::UndeleteSnapshotRequest& request);
  absl::StatusOr<v1::Snapshot> Lift(const Call& call, const v1::LiftCollapseRequest& request);
  absl::StatusOr<v1::Point> Resolve(const Call& call, const v1::ResolvePointRequest& request);
  absl::StatusOr<v1::Job> Retain(const Call& call, const v1::ApplyRetentionRequest& request);

  absl::StatusOr<v1::Job> CreateJob(const Call& call, state::HistoryJob job, bool validate_only);
  absl::StatusOr<Found> Find(const std::string& id) const;
  absl::Duration Grace(const std::string& store) const;
  v1::Snapshot ToWire(const Found& found) const;
  // All snapshots of the store, or of all stores if it is empty.
  absl::StatusOr<std::vector<Found>> Collect(const std::string& store) const;

  // What a change of a snapshot is called in the audit.
  struct Action {
    std::string order;  // before it, followed by "_ordered", and by "_failed" if it failed
    std::string done;   // after it
  };
  // Changes the snapshot once per request, audited, and returns it as it is then. No change is
  // without an entry: the order's comes first.
  using Change = std::function<absl::Status(const SnapshotId&)>;
  absl::StatusOr<v1::Snapshot> Apply(const Call& call, const Found& found, const Action& action,
                                     const Change& change);
  absl::Status ApplyAudited(const Call& call, const Found& found, const Action& action,
                            const Change& change) const;

  CallGate* const gate_;
  const ServiceParts parts_;
};

absl::StatusOr<v1::Job> SnapshotServiceImpl::CreateJob(const Call& call, state::HistoryJob job,
                                                       bool validate_only) {
  RETURN_IF_ERROR(CheckWritable(parts_));
  *job.mutable_actor() = call.actor;
  job.set_reason(call.reason);
  ASSIGN_OR_RETURN(const state::HistoryJob created,
                   parts_.history_jobs->CreateJob(call.request, std::move(job), validate_only));
  return reinstate::ToWire(created);
}

absl::StatusOr<v1::Job> SnapshotServiceImpl::Take(const Call& call,
                                                  const v1::TakeSnapshotRequest& request) {
  state::HistoryJob job;
  job.set_kind(state::TAKE_SNAPSHOT);
  job.set_store(request.store());
  job.set_accept_clock_jump(request.accept_clock_jump());
  RETURN_IF_ERROR(parts_.stores->Find(request.store()).status());
  return CreateJob(call, std::move(job), request.validate_only());
}

absl::StatusOr<v1::Job> SnapshotServiceImpl::Verify(const Call& call,
                                                    const v1::VerifySnapshotRequest& request) {
  ASSIGN_OR_RETURN(const Found found, Find(request.snapshot()));
  state::HistoryJob job;
  job.set_kind(state::VERIFY_SNAPSHOT);
  job.set_store(found.store);
  job.set_snapshot(request.snapshot());
  return CreateJob(call, std::move(job), request.validate_only());
}

absl::StatusOr<v1::Job> SnapshotServiceImpl::Retain(const Call& call,
                                                    const v1::ApplyRetentionRequest& request) {
  RETURN_IF_ERROR(parts_.stores->Find(request.store()).status());
  state::HistoryJob job;
  job.set_kind(state::APPLY_RETENTION);
  job.set_store(request.store());
  return CreateJob(call, std::move(job), request.validate_only());
}

absl::StatusOr<Found> SnapshotServiceImpl::Find(const std::string& text) const {
  ASSIGN_OR_RETURN(const SnapshotId id, ParseSnapshot("snapshot", text));
  ASSIGN_OR_RETURN(SnapshotInfo info, parts_.history->GetSnapshot(id));
  Found found{"", "", std::move(info)};
  const std::optional<LineageOwner> owner = OwnerOf(*parts_.history, id.lineage);
  if (owner.has_value() && parts_.stores->Find(owner->store).ok()) {
    found.store = owner->store;
    found.lineage_name = owner->lineage.name;
  }
  return found;
}

absl::Duration SnapshotServiceImpl::Grace(const std::string& store) const {
  const auto schedule = parts_.schedules.find(store);
  return schedule == parts_.schedules.end() ? RetentionPolicy().grace
                                            : schedule->second.retention.grace;
}

v1::Snapshot SnapshotServiceImpl::ToWire(const Found& found) const {
  v1::Snapshot wire = reinstate::ToWire(found.info, found.store, Grace(found.store));
  wire.set_lineage_name(found.lineage_name);
  return wire;
}

absl::StatusOr<v1::Snapshot> SnapshotServiceImpl::Get(const Call& /*call*/,
                                                      const v1::GetSnapshotRequest& request) {
  ASSIGN_OR_RETURN(const Found found, Find(request.snapshot()));
  v1::Snapshot wire = ToWire(found);
  TablesToWire(found.info, &wire);
  return wire;
}

absl::StatusOr<std::vector<Found>> SnapshotServiceImpl::Collect(const std::string& store) const {
  std::vector<const ServedStore*> stores;
  if (store.empty()) {
    stores = parts_.stores->List();
  } else {
    ASSIGN_OR_RETURN(const ServedStore* served, parts_.stores->Find(store));
    stores.push_back(served);
  }
  std::vector<Found> all;
  for (const ServedStore* served : stores) {
    for (const StoreLineage& lineage : LineagesOf(*parts_.history, served->name)) {
      ASSIGN_OR_RETURN(std::vector<SnapshotInfo> snapshots,
                       parts_.history->ListSnapshots(lineage.number));
      for (SnapshotInfo& snapshot : snapshots) {
        all.push_back({served->name, lineage.name, std::move(snapshot)});
      }
    }
  }
  std::sort(all.begin(), all.end(), [](const Found& a, const Found& b) {
    return NewestFirst(a.info) < NewestFirst(b.info);
  });
  return all;
}

absl::StatusOr<v1::ListSnapshotsResponse> SnapshotServiceImpl::List(
    const Call& /*call*/, const v1::ListSnapshotsRequest& request) {
  ASSIGN_OR_RETURN(const PageQuery page, PageQuery::Parse(request, 1));
  ASSIGN_OR_RETURN(const std::vector<Found> all, Collect(request.store()));

  // The position is the last snapshot of the page before, whether or not it is still there.
  const auto matches = [&](const Found& found) {
    return (request.show_hidden() || found.info.visible()) &&
           (!request.has_from() || found.info.instant >= FromWire(request.from())) &&
           (!request.has_until() || found.info.instant < FromWire(request.until()));
  };
  SnapshotInfo last;
  if (!page.first()) {
    int64_t instant_us = 0;
    const auto [instant, id] = std::pair(page.position(0).substr(0, page.position(0).find('/')),
                                         page.position(0).substr(page.position(0).find('/') + 1));
    const absl::StatusOr<SnapshotId> parsed = SnapshotId::Parse(id);
    if (!absl::SimpleAtoi(instant, &instant_us) || !parsed.ok()) {
      return FieldError("page_token", "is damaged; begin again with an empty one.",
                        Reason::kPageTokenInvalid);
    }
    last.instant = absl::FromUnixMicros(instant_us);
    last.id = *parsed;
  }

  v1::ListSnapshotsResponse response;
  for (const Found& found : all) {
    if (!matches(found) || (!page.first() && NewestFirst(found.info) <= NewestFirst(last))) {
      continue;
    }
    if (response.snapshots_size() == page.size()) {
      const v1::Snapshot& end = *response.snapshots().rbegin();
      response.set_next_page_token(
          page.Token({absl::StrCat(absl::ToUnixMicros(FromWire(end.instant())), "/", end.id())}));
      break;
    }
    *response.add_snapshots() = ToWire(found);
  }
  return response;
}

absl::StatusOr<v1::Snapshot> SnapshotServiceImpl::Apply(const Call& call, const Found& found,
                                                        const Action& action,
                                                        const Change& change) {
  RETURN_IF_ERROR(CheckWritable(parts_));
  const std::string id = found.info.id.ToString();
  RETURN_IF_ERROR(OnlyOnce(parts_.state, call.request, id,
                           [&] { return ApplyAudited(call, found, action, change); }));
  ASSIGN_OR_RETURN(const Found after, Find(id));
  return ToWire(after);
}

absl::Status SnapshotServiceImpl::ApplyAudited(const Call& call, const Found& found,
                                               const Action& action, const Change& change) const {
  const std::string id = found.info.id.ToString();
  RETURN_IF_ERROR(parts_.state->AppendAudit(
      MakeAuditDraft(call, action.order + "_ordered", id, found.store, absl::OkStatus())));
  const absl::Status changed = change(found.info.id);
  const std::string end = changed.ok() ? action.done : action.order + "_failed";
  const absl::Status audited =
      parts_.state->AppendAudit(MakeAuditDraft(call, end, id, found.store, changed));
  return changed.ok() ? audited : changed;
}

absl::StatusOr<v1::Snapshot> SnapshotServiceImpl::Hold(const Call& call,
                                                       const v1::HoldSnapshotRequest& request) {
  RETURN_IF_ERROR(CheckPresent("reason", request.reason()));
  ASSIGN_OR_RETURN(const Found found, Find(request.snapshot()));
  return Apply(call, found, {.order = "snapshot.hold", .done = "snapshot.held"},
               [&](const SnapshotId& id) -> absl::Status {
                 if (!found.info.visible()) {
                   return MakeError(Reason::kSnapshotHidden,
                                    absl::StrCat("Snapshot ", request.snapshot(),
                                                 " was deleted; undelete it first, then hold it."));
                 }
                 return parts_.history->Hold(id, request.reason());
               });
}

absl::StatusOr<v1::Snapshot> SnapshotServiceImpl::Release(
    const Call& call, const v1::ReleaseSnapshotRequest& request) {
  ASSIGN_OR_RETURN(const Found found, Find(request.snapshot()));
  return Apply(call, found, {.order = "snapshot.release", .done = "snapshot.released"},
               [&](const SnapshotId& id) { return parts_.history->Release(id); });
}

absl::StatusOr<v1::Snapshot> SnapshotServiceImpl::Delete(const Call& call,
                                                         const v1::DeleteSnapshotRequest& request) {
  ASSIGN_OR_RETURN(Found found, Find(request.snapshot()));
  if (request.confirm() != request.snapshot()) {
    return MakeError(
        Reason::kConfirmationNeeded,
        absl::StrCat("Deleting ", request.snapshot(), " needs its id once more, in `confirm`."));
  }
  if (request.validate_only()) {
    if (found.info.held || !found.info.pinned_by.empty()) {
      return MakeError(Reason::kSnapshotHeld,
                       absl::StrCat("Snapshot ", request.snapshot(),
                                    " is held or in use by a job; release it or wait."));
    }
    if (found.info.visible()) {
      found.info.hidden_since = parts_.clock->Now();
    }
    return ToWire(found);
  }
  return Apply(call, found, {.order = "snapshot.hide", .done = "snapshot.hidden"},
               [&](const SnapshotId& id) { return parts_.history->Hide(id); });
}

absl::StatusOr<v1::Snapshot> SnapshotServiceImpl::Undelete(
    const Call& call, const v1::UndeleteSnapshotRequest& request) {
  ASSIGN_OR_RETURN(const Found found, Find(request.snapshot()));
  return Apply(call, found, {.order = "snapshot.undelete", .done = "snapshot.undeleted"},
               [&](const SnapshotId& id) { return parts_.history->Undelete(id); });
}

absl::StatusOr<v1::Snapshot> SnapshotServiceImpl::Lift(const Call& call,
                                                       const v1::LiftCollapseRequest& request) {
  RETURN_IF_ERROR(CheckPresent("reason", request.reason()));
  ASSIGN_OR_RETURN(const Found found, Find(request.snapshot()));
  return Apply(call, found, {.order = "snapshot.lift_collapse", .done = "snapshot.collapse_lifted"},
               [&](const SnapshotId& id) { return parts_.history->LiftCollapse(id); });
}

absl::StatusOr<v1::Point> SnapshotServiceImpl::Resolve(const Call& /*call*/,
                                                       const v1::ResolvePointRequest& request) {
  ASSIGN_OR_RETURN(const ServedStore* store, parts_.stores->Find(request.store()));
  ASSIGN_OR_RETURN(
      const state::Point point,
      reinstate::ResolvePoint(*parts_.history, store->lineage, request.at(), parts_.clock->Now()));
  v1::Point wire;
  reinstate::ToWire(point, &wire);
  return wire;
}

}  // namespace

std::unique_ptr<grpc::Service> MakeSnapshotService(CallGate* gate, const ServiceParts& parts) {
  return std::make_unique<SnapshotServiceImpl>(gate, parts);
}

}  // namespace reinstate

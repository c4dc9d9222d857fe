#include "client/api/client.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <random>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/api/connection.h"
#include "client/api/grpc_dump_sender.h"
#include "client/api/grpc_record_writer.h"
#include "client/api/status_from_wire.h"
#include "client/api/text_check.h"
#include "client/api/watch_follower.h"
#include "reinstate/v1/batch_service.grpc.pb.h"
#include "reinstate/v1/job_service.grpc.pb.h"
#include "reinstate/v1/record_service.grpc.pb.h"
#include "reinstate/v1/restore_service.grpc.pb.h"
#include "reinstate/v1/snapshot_service.grpc.pb.h"
#include "reinstate/v1/store_service.grpc.pb.h"
#include "reinstate/v1/tenant_service.grpc.pb.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr int kPageSize = 1'000;

}  // namespace

class ReinstateClient::Impl {
 public:
  explicit Impl(std::unique_ptr<Connection> connection_in)
      : connection(std::move(connection_in)),
        stores(connection->channel()),
        snapshots(connection->channel()),
        jobs(connection->channel()),
        tenants(connection->channel()),
        restores(connection->channel()),
        batches(connection->channel()),
        records(connection->channel()) {}

  // Says who asks, and makes the call safe to repeat, where the request has fields for it.
  template <typename Request>
  void Complete(Request* request) const {
    if constexpr (requires { request->mutable_actor(); }) {
      if (request->actor().empty()) {
        request->set_actor(connection->options().actor);
      }
    }
    if constexpr (requires { request->mutable_request_id(); }) {
      if (request->request_id().empty()) {
        request->set_request_id(NewRequestId());
      }
    }
  }

  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(Stub* stub,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                                Request request) const {
    Complete(&request);
    RETURN_IF_ERROR(CheckTexts(request));
    Response response;
    RETURN_IF_ERROR(connection->Call(RequestIdOf(request), [&](grpc::ClientContext* context) {
      response.Clear();
      return (stub->*method)(context, request, &response);
    }));
    return response;
  }

  // Empty of a request that creates nothing.
  template <typename Request>
  static std::string RequestIdOf(const Request& request) {
    if constexpr (requires { request.request_id(); }) {
      return request.request_id();
    }
    return "";
  }

  // Calls `fetch` for one page after the other, which returns the items of the page.
  template <typename Item, typename Request, typename Fetch>
  absl::StatusOr<std::vector<Item>> AllPages(Request request, int64_t limit, Fetch fetch) const {
    std::vector<Item> all;
    for (;;) {
      const int64_t wanted = limit > 0 ? limit - static_cast<int64_t>(all.size()) : kPageSize;
      request.set_page_size(static_cast<int32_t>(std::min<int64_t>(wanted, kPageSize)));
      ASSIGN_OR_RETURN(auto page, fetch(request));
      for (Item& item : *page.first) {
        all.push_back(std::move(item));
      }
      request.set_page_token(page.second);
      if (page.second.empty() || (limit > 0 && static_cast<int64_t>(all.size()) >= limit)) {
        return all;
      }
    }
  }

  const std::unique_ptr<Connection> connection;
  mutable v1::StoreService::Stub stores;
  mutable v1::SnapshotService::Stub snapshots;
  mutable v1::JobService::Stub jobs;
  mutable v1::TenantService::Stub tenants;
  mutable v1::RestoreService::Stub restores;
  mutable v1::BatchService::Stub batches;
  mutable v1::RecordService::Stub records;
};

absl::StatusOr<std::unique_ptr<ReinstateClient>> ReinstateClient::Connect(ClientOptions options) {
  ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection, Connection::Open(std::move(options)));
  return std::unique_ptr<ReinstateClient>(
      new ReinstateClient(std::make_unique<Impl>(std::move(connection))));
}

ReinstateClient::ReinstateClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ReinstateClient::~ReinstateClient() = default;

void ReinstateClient::InterruptWaits() { impl_->connection->Interrupt(); }

// Each call is its service's method of the same name.
#define REINSTATE_CALL(name, stub, Service, Response)                               \
  absl::StatusOr<v1::Response> ReinstateClient::name(v1::name##Request request) {   \
    return impl_->Call(&impl_->stub, &v1::Service::Stub::name, std::move(request)); \
  }

// As REINSTATE_CALL for all pages of a list; `items` is the field of the answer that holds them.
#define REINSTATE_LIST(name, stub, Service, Item, items)                                       \
  absl::StatusOr<std::vector<v1::Item>> ReinstateClient::name(v1::name##Request request,       \
                                                              int64_t limit) {                 \
    v1::name##Response page;                                                                   \
    return impl_->AllPages<v1::Item>(                                                          \
        std::move(request), limit,                                                             \
        [&](const v1::name##Request& page_request)                                             \
            -> absl::StatusOr<std::pair<decltype(page.mutable_##items()), std::string>> {      \
          ASSIGN_OR_RETURN(page,                                                               \
                           impl_->Call(&impl_->stub, &v1::Service::Stub::name, page_request)); \
          return std::make_pair(page.mutable_##items(), page.next_page_token());               \
        });                                                                                    \
  }

// The calls that control a batch share one request.
#define REINSTATE_CONTROL(name)                                                             \
  absl::StatusOr<v1::Batch> ReinstateClient::name(v1::ControlBatchRequest request) {        \
    return impl_->Call(&impl_->batches, &v1::BatchService::Stub::name, std::move(request)); \
  }

REINSTATE_CALL(GetStore, stores, StoreService, Store)
REINSTATE_CALL(RebindStore, stores, StoreService, Store)
REINSTATE_CALL(ThrottleStore, stores, StoreService, Store)

REINSTATE_CALL(TakeSnapshot, snapshots, SnapshotService, Job)
REINSTATE_CALL(GetSnapshot, snapshots, SnapshotService, Snapshot)
REINSTATE_LIST(ListSnapshots, snapshots, SnapshotService, Snapshot, snapshots)
REINSTATE_CALL(VerifySnapshot, snapshots, SnapshotService, Job)
REINSTATE_CALL(HoldSnapshot, snapshots, SnapshotService, Snapshot)
REINSTATE_CALL(ReleaseSnapshot, snapshots, SnapshotService, Snapshot)
REINSTATE_CALL(DeleteSnapshot, snapshots, SnapshotService, Snapshot)
REINSTATE_CALL(UndeleteSnapshot, snapshots, SnapshotService, Snapshot)
REINSTATE_CALL(LiftCollapse, snapshots, SnapshotService, Snapshot)
REINSTATE_CALL(ResolvePoint, snapshots, SnapshotService, Point)
REINSTATE_CALL(ApplyRetention, snapshots, SnapshotService, Job)

REINSTATE_CALL(GetJob, jobs, JobService, Job)
REINSTATE_LIST(ListJobs, jobs, JobService, Job, jobs)
REINSTATE_CALL(CancelJob, jobs, JobService, Job)

REINSTATE_CALL(FindTenants, tenants, TenantService, FindTenantsResponse)
REINSTATE_CALL(GetTenant, tenants, TenantService, Tenant)

REINSTATE_CALL(PlanRestore, restores, RestoreService, Plan)
REINSTATE_CALL(GetPlan, restores, RestoreService, Plan)
REINSTATE_CALL(CreateRestore, restores, RestoreService, Restore)
REINSTATE_CALL(GetRestore, restores, RestoreService, Restore)
REINSTATE_LIST(ListRestores, restores, RestoreService, Restore, restores)
REINSTATE_CALL(CancelRestore, restores, RestoreService, Restore)
REINSTATE_CALL(UndoRestore, restores, RestoreService, Restore)
REINSTATE_CALL(ResolveRestore, restores, RestoreService, Restore)
REINSTATE_CALL(GetCertificate, restores, RestoreService, Certificate)

REINSTATE_CALL(CreateBatch, batches, BatchService, Batch)
REINSTATE_CALL(GetBatch, batches, BatchService, Batch)
REINSTATE_LIST(ListBatches, batches, BatchService, Batch, batches)
REINSTATE_LIST(ListBatchLines, batches, BatchService, BatchLine, lines)
REINSTATE_CALL(AddToBatch, batches, BatchService, Batch)
REINSTATE_CALL(PrioritizeBatch, batches, BatchService, Batch)
REINSTATE_CALL(UndoBatch, batches, BatchService, Batch)
REINSTATE_CONTROL(PauseBatch)
REINSTATE_CONTROL(ResumeBatch)
REINSTATE_CONTROL(CancelBatch)
REINSTATE_CONTROL(RetryBatch)

REINSTATE_CALL(DeleteTenant, records, RecordService, DeleteTenantResponse)

#undef REINSTATE_CALL
#undef REINSTATE_CONTROL
#undef REINSTATE_LIST

absl::StatusOr<std::vector<v1::Store>> ReinstateClient::ListStores(int64_t limit) {
  v1::ListStoresResponse page;
  return impl_->AllPages<v1::Store>(
      v1::ListStoresRequest(), limit,
      [&](const v1::ListStoresRequest& request)
          -> absl::StatusOr<std::pair<decltype(page.mutable_stores()), std::string>> {
        ASSIGN_OR_RETURN(page,
                         impl_->Call(&impl_->stores, &v1::StoreService::Stub::ListStores, request));
        return std::make_pair(page.mutable_stores(), page.next_page_token());
      });
}

absl::StatusOr<v1::DiscoverStoreResponse> ReinstateClient::DiscoverStore(
    v1::DiscoverStoreRequest request) {
  return impl_->Call(&impl_->stores, &v1::StoreService::Stub::DiscoverStore, std::move(request));
}

absl::StatusOr<ReinstateClient::TenantList> ReinstateClient::ListTenants(
    v1::ListTenantsRequest request, int64_t limit) {
  v1::ListTenantsResponse page;
  TenantList list;
  ASSIGN_OR_RETURN(
      list.tenants,
      impl_->AllPages<v1::TenantSummary>(
          std::move(request), limit,
          [&](const v1::ListTenantsRequest& page_request)
              -> absl::StatusOr<std::pair<decltype(page.mutable_tenants()), std::string>> {
            ASSIGN_OR_RETURN(
                page,
                impl_->Call(&impl_->tenants, &v1::TenantService::Stub::ListTenants, page_request));
            return std::make_pair(page.mutable_tenants(), page.next_page_token());
          }));
  list.point = std::move(*page.mutable_point());
  return list;
}

absl::StatusOr<ReinstateClient::Resolutions> ReinstateClient::ResolveTenants(
    const v1::ResolveTenantsRequest& request) {
  RETURN_IF_ERROR(CheckTexts(request));
  Resolutions all;
  const grpc::Status status =
      impl_->connection->Stream(absl::InfiniteDuration(), [&](grpc::ClientContext* context) {
        auto reader = impl_->tenants.ResolveTenants(context, request);
        v1::ResolveTenantsResponse part;
        while (reader->Read(&part)) {
          if (part.has_point()) {
            all.point = part.point();
          }
          std::move(part.mutable_resolutions()->begin(), part.mutable_resolutions()->end(),
                    std::back_inserter(all.resolutions));
        }
        return reader->Finish();
      });
  if (impl_->connection->interrupted()) {
    return InterruptedError();
  }
  RETURN_IF_ERROR(StatusFromWire(status));
  return all;
}

absl::StatusOr<v1::TenantComparison> ReinstateClient::CompareTenant(
    const v1::CompareTenantRequest& request,
    const std::function<void(const v1::Progress&)>& on_progress) {
  RETURN_IF_ERROR(CheckTexts(request));
  std::optional<v1::TenantComparison> comparison;
  const grpc::Status status =
      impl_->connection->Stream(absl::InfiniteDuration(), [&](grpc::ClientContext* context) {
        auto reader = impl_->tenants.CompareTenant(context, request);
        v1::CompareTenantResponse event;
        while (reader->Read(&event)) {
          if (event.has_progress() && on_progress) {
            on_progress(event.progress());
          } else if (event.has_comparison()) {
            comparison = event.comparison();
          }
        }
        return reader->Finish();
      });
  if (impl_->connection->interrupted()) {
    return InterruptedError();
  }
  RETURN_IF_ERROR(StatusFromWire(status));
  if (!comparison.has_value()) {
    return MakeError(Reason::kInternal, "The daemon ended the comparison without a result.");
  }
  return *std::move(comparison);
}

absl::Status ReinstateClient::ExportTenant(
    v1::ExportTenantRequest request,
    const std::function<absl::Status(const v1::ExportTenantResponse&)>& on_part) {
  impl_->Complete(&request);
  RETURN_IF_ERROR(CheckTexts(request));
  absl::Status received;
  bool ended = false;
  const grpc::Status status =
      impl_->connection->Stream(absl::InfiniteDuration(), [&](grpc::ClientContext* context) {
        auto reader = impl_->tenants.ExportTenant(context, request);
        v1::ExportTenantResponse part;
        while (received.ok() && reader->Read(&part)) {
          ended = part.has_end();
          received = on_part(part);
          if (!received.ok()) {
            context->TryCancel();
          }
        }
        return reader->Finish();
      });
  RETURN_IF_ERROR(received);
  if (impl_->connection->interrupted()) {
    return InterruptedError();
  }
  RETURN_IF_ERROR(StatusFromWire(status));
  return ended ? absl::OkStatus()
               : MakeError(Reason::kInternal, "The daemon ended the export before its end.");
}

std::unique_ptr<DumpSender> ReinstateClient::ImportSnapshot(v1::ImportSnapshotRequest first) {
  impl_->Complete(&first);
  return std::make_unique<GrpcDumpSender>(&impl_->snapshots, first);
}

absl::Status ReinstateClient::PutRecord(v1::PutRequest request) {
  return impl_->Call(&impl_->records, &v1::RecordService::Stub::Put, std::move(request)).status();
}

absl::Status ReinstateClient::DeleteRecord(v1::DeleteRequest request) {
  return impl_->Call(&impl_->records, &v1::RecordService::Stub::Delete, std::move(request))
      .status();
}

absl::StatusOr<v1::GetResponse> ReinstateClient::GetRecord(v1::GetRequest request) {
  return impl_->Call(&impl_->records, &v1::RecordService::Stub::Get, std::move(request));
}

absl::Status ReinstateClient::ScanRecords(const v1::ScanRequest& request,
                                          const std::function<bool(const v1::Record&)>& on_record) {
  RETURN_IF_ERROR(CheckTexts(request));
  bool stopped = false;
  const grpc::Status status =
      impl_->connection->Stream(absl::InfiniteDuration(), [&](grpc::ClientContext* context) {
        auto reader = impl_->records.Scan(context, request);
        v1::ScanResponse page;
        while (!stopped && reader->Read(&page)) {
          for (v1::Record& record : *page.mutable_records()) {
            record.set_tenant(request.tenant());
            record.set_table(request.table());
            if (!on_record(record)) {
              stopped = true;
              context->TryCancel();
              break;
            }
          }
        }
        return reader->Finish();
      });
  return stopped ? absl::OkStatus() : StatusFromWire(status);
}

std::unique_ptr<RecordWriter> ReinstateClient::WriteRecords(const std::string& store) {
  return std::make_unique<GrpcRecordWriter>(&impl_->records, store);
}

absl::StatusOr<v1::Restore> ReinstateClient::WaitForRestore(
    const std::string& id, const WaitObserver<v1::Restore>& observer) {
  v1::WatchRestoreRequest request;
  request.set_restore(id);
  RETURN_IF_ERROR(CheckTexts(request));
  return WatchFollower<v1::Restore>(impl_->connection.get(), observer)
      .Follow([&](grpc::ClientContext* context) {
        return impl_->restores.WatchRestore(context, request);
      });
}

absl::StatusOr<v1::Plan> ReinstateClient::WaitForPlan(const std::string& id,
                                                      const WaitObserver<v1::Plan>& observer) {
  v1::WatchPlanRequest request;
  request.set_plan(id);
  RETURN_IF_ERROR(CheckTexts(request));
  return WatchFollower<v1::Plan>(impl_->connection.get(), observer)
      .Follow([&](grpc::ClientContext* context) {
        return impl_->restores.WatchPlan(context, request);
      });
}

absl::StatusOr<v1::Job> ReinstateClient::WaitForJob(const std::string& id,
                                                    const WaitObserver<v1::Job>& observer) {
  v1::WatchJobRequest request;
  request.set_job(id);
  RETURN_IF_ERROR(CheckTexts(request));
  return WatchFollower<v1::Job>(impl_->connection.get(), observer)
      .Follow([&](grpc::ClientContext* context) { return impl_->jobs.WatchJob(context, request); });
}

absl::StatusOr<v1::Batch> ReinstateClient::WaitForBatch(const std::string& id,
                                                        const WaitObserver<v1::Batch>& observer) {
  v1::WatchBatchRequest request;
  request.set_batch(id);
  RETURN_IF_ERROR(CheckTexts(request));
  return WatchFollower<v1::Batch>(impl_->connection.get(), observer)
      .Follow([&](grpc::ClientContext* context) {
        return impl_->batches.WatchBatch(context, request);
      });
}

std::string NewRequestId() {
  std::random_device random;
  std::array<uint32_t, 4> words = {random(), random(), random(), random()};
  words[1] = (words[1] & 0xffff0fffU) | 0x00004000U;  // version 4
  words[2] = (words[2] & 0x3fffffffU) | 0x80000000U;  // variant of RFC 4122
  std::string hex;
  for (const uint32_t word : words) {
    absl::StrAppend(&hex, absl::Hex(word, absl::kZeroPad8));
  }
  for (const size_t dash : {20, 16, 12, 8}) {
    hex.insert(dash, "-");
  }
  return hex;
}

}  // namespace reinstate

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/api/outcome.h"
#include "reinstate/v1/batch_service.pb.h"
#include "reinstate/v1/job_service.pb.h"
#include "reinstate/v1/record_service.pb.h"
#include "reinstate/v1/restore_service.pb.h"
#include "reinstate/v1/snapshot_service.pb.h"
#include "reinstate/v1/store_service.pb.h"
#include "reinstate/v1/tenant_service.pb.h"

namespace reinstate {

class DumpSender;
class RecordWriter;

// Where the daemon listens by default.
inline constexpr char kDefaultAddress[] = "127.0.0.1:7420";

// Mutual TLS: paths of PEM files. All empty means no TLS; a certificate needs its key.
struct TlsFiles {
  std::string ca;           // who may vouch for the daemon; empty: the roots of the system
  std::string certificate;  // of this client; its subject becomes the actor
  std::string key;
  std::string server_name;  // expected in the daemon's certificate; empty: the host of the address
};

// How to reach the daemon.
struct ClientOptions {
  std::string address = kDefaultAddress;  // host:port, or unix:/path
  TlsFiles tls;

  // Who asks, for the audit; marked there as unverified. Put into every request that leaves its own
  // `actor` empty.
  std::string actor;

  // Limit for reaching the daemon, and for each call with its repetitions; not for streams.
  absl::Duration timeout = absl::Seconds(30);

  // How long a Wait… goes on without an answer from the daemon before it gives up.
  absl::Duration reconnect_for = absl::Minutes(10);

  // Told when a call has to be repeated since the daemon has too many waiting, once a call, with
  // what the daemon said. May be called from several threads.
  std::function<void(const absl::Status& refusal)> on_refusal;

  // Told when a call has to be repeated since its answer was lost, once a call. As on_refusal.
  std::function<void()> on_loss;
};

// Calls the daemon `reinstated`.
//
// Calls block. Thread-safe. Requests are those of reinstate.v1, whose files say what each call does
// and which errors it has; an error is a status whose reason (ReasonOf) is the daemon's.
//
// A call that the network or a stopping daemon loses, or that the daemon refuses since too many
// wait, is repeated until the timeout, which is safe for all of them: what creates something gets a
// request id here if it has none. UNAVAILABLE is returned once the timeout has passed,
// DEADLINE_EXCEEDED if the daemon accepted the call and did not answer. Of what creates something
// both say that it may have been created, and with which request id it is created once.
class ReinstateClient {
 public:
  // Connects, and waits for it. UNAVAILABLE, with what to do, as soon as the address refuses or the
  // timeout has passed; INVALID_ARGUMENT if a file of `options.tls` cannot be read.
  static absl::StatusOr<std::unique_ptr<ReinstateClient>> Connect(ClientOptions options);

  ~ReinstateClient();
  ReinstateClient(const ReinstateClient&) = delete;
  ReinstateClient& operator=(const ReinstateClient&) = delete;

  // Stores. Lists follow all pages, up to `limit` items (0: all).
  absl::StatusOr<std::vector<v1::Store>> ListStores(int64_t limit = 0);
  absl::StatusOr<v1::Store> GetStore(v1::GetStoreRequest request);
  absl::StatusOr<v1::DiscoverStoreResponse> DiscoverStore(v1::DiscoverStoreRequest request);
  absl::StatusOr<v1::Store> RebindStore(v1::RebindStoreRequest request);
  absl::StatusOr<v1::Store> ThrottleStore(v1::ThrottleStoreRequest request);

  // Snapshots.
  absl::StatusOr<v1::Job> TakeSnapshot(v1::TakeSnapshotRequest request);
  absl::StatusOr<v1::Snapshot> GetSnapshot(v1::GetSnapshotRequest request);
  absl::StatusOr<std::vector<v1::Snapshot>> ListSnapshots(v1::ListSnapshotsRequest request,
                                                          int64_t limit = 0);
  absl::StatusOr<v1::Job> VerifySnapshot(v1::VerifySnapshotRequest request);
  absl::StatusOr<v1::Snapshot> HoldSnapshot(v1::HoldSnapshotRequest request);
  absl::StatusOr<v1::Snapshot> ReleaseSnapshot(v1::ReleaseSnapshotRequest request);
  absl::StatusOr<v1::Snapshot> DeleteSnapshot(v1::DeleteSnapshotRequest request);
  absl::StatusOr<v1::Snapshot> UndeleteSnapshot(v1::UndeleteSnapshotRequest request);
  absl::StatusOr<v1::Snapshot> LiftCollapse(v1::LiftCollapseRequest request);
  absl::StatusOr<v1::Point> ResolvePoint(v1::ResolvePointRequest request);
  absl::StatusOr<v1::Job> ApplyRetention(v1::ApplyRetentionRequest request);

  // Jobs: the work on snapshots.
  absl::StatusOr<v1::Job> GetJob(v1::GetJobRequest request);
  absl::StatusOr<std::vector<v1::Job>> ListJobs(v1::ListJobsRequest request, int64_t limit = 0);
  absl::StatusOr<v1::Job> CancelJob(v1::CancelJobRequest request);

  // Tenants.
  struct TenantList {
    std::vector<v1::TenantSummary> tenants;
    v1::Point point;  // what `at` or `lost_since` resolved to
  };
  absl::StatusOr<TenantList> ListTenants(v1::ListTenantsRequest request, int64_t limit = 0);
  absl::StatusOr<v1::FindTenantsResponse> FindTenants(v1::FindTenantsRequest request);
  absl::StatusOr<v1::Tenant> GetTenant(v1::GetTenantRequest request);

  struct Resolutions {
    std::vector<v1::TenantResolution> resolutions;  // in the order of the inputs, then who was lost
    v1::Point point;                                // what `at` resolved to
  };
  // Not limited by the timeout: with `count_live` it reads the keys of the whole store.
  absl::StatusOr<Resolutions> ResolveTenants(const v1::ResolveTenantsRequest& request);

  // Reads the tenant on both sides; takes time in proportion to it. `on_progress` may be null.
  absl::StatusOr<v1::TenantComparison> CompareTenant(
      const v1::CompareTenantRequest& request,
      const std::function<void(const v1::Progress&)>& on_progress);

  // Reads what a tenant had at a point, part by part, until `on_part` fails, whose status is then
  // returned. The export is complete exactly if this returns OK: the last part was the end then.
  // Nothing is repeated: an export that breaks off has to be begun again.
  absl::Status ExportTenant(
      v1::ExportTenantRequest request,
      const std::function<absl::Status(const v1::ExportTenantResponse&)>& on_part);

  // Begins to import a dump; see DumpSender. `first` has the header and the fields before it. The
  // sender must not outlive this client.
  std::unique_ptr<DumpSender> ImportSnapshot(v1::ImportSnapshotRequest first);

  // Restores.
  absl::StatusOr<v1::Plan> PlanRestore(v1::PlanRestoreRequest request);
  absl::StatusOr<v1::Plan> GetPlan(v1::GetPlanRequest request);
  absl::StatusOr<v1::Restore> CreateRestore(v1::CreateRestoreRequest request);
  absl::StatusOr<v1::Restore> GetRestore(v1::GetRestoreRequest request);
  absl::StatusOr<std::vector<v1::Restore>> ListRestores(v1::ListRestoresRequest request,
                                                        int64_t limit = 0);
  absl::StatusOr<v1::Restore> CancelRestore(v1::CancelRestoreRequest request);
  absl::StatusOr<v1::Restore> UndoRestore(v1::UndoRestoreRequest request);
  absl::StatusOr<v1::Restore> ResolveRestore(v1::ResolveRestoreRequest request);
  absl::StatusOr<v1::Certificate> GetCertificate(v1::GetCertificateRequest request);

  // Batches.
  absl::StatusOr<v1::Batch> CreateBatch(v1::CreateBatchRequest request);
  absl::StatusOr<v1::Batch> GetBatch(v1::GetBatchRequest request);
  absl::StatusOr<std::vector<v1::Batch>> ListBatches(v1::ListBatchesRequest request,
                                                     int64_t limit = 0);
  absl::StatusOr<std::vector<v1::BatchLine>> ListBatchLines(v1::ListBatchLinesRequest request,
                                                            int64_t limit = 0);
  absl::StatusOr<v1::Batch> PauseBatch(v1::ControlBatchRequest request);
  absl::StatusOr<v1::Batch> ResumeBatch(v1::ControlBatchRequest request);
  absl::StatusOr<v1::Batch> CancelBatch(v1::ControlBatchRequest request);
  absl::StatusOr<v1::Batch> RetryBatch(v1::ControlBatchRequest request);
  absl::StatusOr<v1::Batch> AddToBatch(v1::AddToBatchRequest request);
  absl::StatusOr<v1::Batch> PrioritizeBatch(v1::PrioritizeBatchRequest request);
  absl::StatusOr<v1::Batch> UndoBatch(v1::UndoBatchRequest request);

  // Records of the embedded store.
  absl::Status PutRecord(v1::PutRequest request);
  absl::Status DeleteRecord(v1::DeleteRequest request);
  absl::StatusOr<v1::GetResponse> GetRecord(v1::GetRequest request);
  absl::StatusOr<v1::DeleteTenantResponse> DeleteTenant(v1::DeleteTenantRequest request);

  // Calls `on_record` for each record found, in order, with tenant and table filled in, until it
  // returns false.
  absl::Status ScanRecords(const v1::ScanRequest& request,
                           const std::function<bool(const v1::Record&)>& on_record);

  // Begins to write many records; see RecordWriter. `store` may be empty for "main". The writer
  // must not outlive this client.
  std::unique_ptr<RecordWriter> WriteRecords(const std::string& store);

  // What a Wait… tells the one who waits. Both may be null.
  template <typename Message>
  struct WaitObserver {
    // Whenever something has changed, the final state included.
    std::function<void(const Message&)> on_update;
    // When the daemon stops answering (with why), and when it answers again (with OK).
    std::function<void(const absl::Status&)> on_connection;
  };

  // Wait until it is final, whatever the outcome, which the returned message says: a restore once
  // the hooks after it have ended too, or it is IN_DOUBT. They follow the daemon through restarts,
  // as long as it comes back within `reconnect_for`: UNAVAILABLE after that. CANCELLED with the
  // reason INTERRUPTED after InterruptWaits(). Going away cancels nothing at the daemon.
  absl::StatusOr<v1::Restore> WaitForRestore(const std::string& id,
                                             const WaitObserver<v1::Restore>& observer);
  absl::StatusOr<v1::Plan> WaitForPlan(const std::string& id,
                                       const WaitObserver<v1::Plan>& observer);
  absl::StatusOr<v1::Job> WaitForJob(const std::string& id, const WaitObserver<v1::Job>& observer);
  absl::StatusOr<v1::Batch> WaitForBatch(const std::string& id,
                                         const WaitObserver<v1::Batch>& observer);

  // Ends all Wait… calls, CompareTenant, ExportTenant and ResolveTenants, present and future, from
  // any thread.
  void InterruptWaits();

 private:
  class Impl;
  explicit ReinstateClient(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

// A fresh random request id: a UUID of version 4.
std::string NewRequestId();

}  // namespace reinstate

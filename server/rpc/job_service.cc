#include <string>
#include <vector>

#include "reinstate/v1/job_service.grpc.pb.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/convert_restore.h"
#include "server/rpc/convert_snapshot.h"
#include "server/rpc/idempotent.h"
#include "server/rpc/page_query.h"
#include "server/rpc/services.h"
#include "server/rpc/watch_source.h"

namespace reinstate {
namespace {

using Wire = v1::JobService;
using Base = RawService<Wire::Service, Wire::WithRawCallbackMethod_GetJob,
                        Wire::WithRawCallbackMethod_ListJobs, Wire::WithRawCallbackMethod_WatchJob,
                        Wire::WithRawCallbackMethod_CancelJob>;

class JobServiceImpl final : public Base {
 public:
  JobServiceImpl(CallGate* gate, const ServiceParts& parts) : gate_(gate), parts_(parts) {}

  grpc::ServerUnaryReactor* GetJob(grpc::CallbackServerContext* context,
                                   const grpc::ByteBuffer* request,
                                   grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &JobServiceImpl::Get);
  }
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &JobServiceImpl::List);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchJob(grpc::CallbackServerContext* context,
                                                       const grpc::ByteBuffer* request) override {
    return gate_->ServerStream<v1::Job>(context, request, this, &JobServiceImpl::Watch);
  }
  grpc::ServerUnaryReactor* CancelJob(grpc::CallbackServerContext* context,
                                      const grpc::ByteBuffer* request,
                                      grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &JobServiceImpl::Cancel);
  }

 private:
  absl::StatusOr<v1::Job> Get(const Call& /*call*/, const v1::GetJobRequest& request) {
    ASSIGN_OR_RETURN(const state::HistoryJob job, parts_.history_jobs->GetJob(request.job()));
    return ToWire(job);
  }

  absl::StatusOr<v1::ListJobsResponse> List(const Call& call, const v1::ListJobsRequest& request);

  absl::StatusOr<std::unique_ptr<StreamSource>> Watch(const Call& /*call*/,
                                                      const v1::WatchJobRequest& request) {
    HistoryJobs* const jobs = parts_.history_jobs;
    const std::string& id = request.job();
    return std::make_unique<WatchSource<v1::Job>>(
        [=](std::function<void()> wake) { return jobs->WatchJob(id, std::move(wake)); },
        [=]() -> absl::StatusOr<WatchSource<v1::Job>::State> {
          ASSIGN_OR_RETURN(const state::HistoryJob job, jobs->GetJob(id));
          return WatchSource<v1::Job>::State{ToWire(job), IsFinal(job.state())};
        });
  }

  absl::StatusOr<v1::Job> Cancel(const Call& call, const v1::CancelJobRequest& request) {
    RETURN_IF_ERROR(OnlyOnce(parts_.state, call.request, request.job(), [&] {
      return parts_.history_jobs->CancelJob(request.job(), call.actor, call.reason).status();
    }));
    ASSIGN_OR_RETURN(const state::HistoryJob job, parts_.history_jobs->GetJob(request.job()));
    return ToWire(job);
  }

  CallGate* const gate_;
  const ServiceParts parts_;
};

absl::StatusOr<v1::ListJobsResponse> JobServiceImpl::List(const Call& /*call*/,
                                                          const v1::ListJobsRequest& request) {
  ASSIGN_OR_RETURN(const PageQuery page, PageQuery::Parse(request, 1));
  if (!request.store().empty()) {
    RETURN_IF_ERROR(parts_.stores->Find(request.store()).status());
  }
  ASSIGN_OR_RETURN(const std::vector<state::HistoryJob> jobs,
                   parts_.history_jobs->ListJobs(
                       request.store(), page.first() ? "" : page.position(0), page.size() + 1));
  v1::ListJobsResponse response;
  for (const state::HistoryJob& job : jobs) {
    if (response.jobs_size() == page.size()) {
      response.set_next_page_token(page.Token({response.jobs().rbegin()->id()}));
      break;
    }
    *response.add_jobs() = ToWire(job);
  }
  return response;
}

}  // namespace

std::unique_ptr<grpc::Service> MakeJobService(CallGate* gate, const ServiceParts& parts) {
  return std::make_unique<JobServiceImpl>(gate, parts);
}

}  // namespace reinstate

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/command_tree.h"
#include "client/cli/job_views.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

struct JobOptions {
  std::string job;
  std::string store;
  std::string reason;
  int64_t limit = 50;
};

absl::Status List(const JobOptions& options, Session& session) {
  v1::ListJobsRequest request;
  request.set_store(options.store);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const std::vector<v1::Job> jobs, client->ListJobs(request, options.limit));
  return session.output().List(jobs, JobListFields(session.now()), "There are no jobs.");
}

absl::Status Show(const JobOptions& options, Session& session) {
  v1::GetJobRequest request;
  request.set_job(options.job);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const v1::Job job, client->GetJob(request));
  return PrintJob(job, session);
}

absl::Status Watch(const JobOptions& options, Session& session) {
  v1::Job job;
  job.set_id(options.job);
  return ShowBegunJob(session, std::move(job), /*wait=*/true, absl::StrCat("Job ", options.job));
}

absl::Status Cancel(const JobOptions& options, Session& session) {
  v1::CancelJobRequest request;
  request.set_job(options.job);
  request.set_reason(options.reason);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const v1::Job job, client->CancelJob(request));
  return PrintJob(job, session);
}

}  // namespace

void AddJobCommands(CommandTree* tree) {
  CLI::App* noun = tree->AddNoun("job", "The work on snapshots: what is taken, verified, retired");
  const auto options = std::make_shared<JobOptions>();
  const auto add_id = [options](CLI::App* command) {
    command->add_option("JOB", options->job, "The job's id")->required();
  };

  CLI::App* list =
      tree->AddCommand(noun, {"list", "Lists jobs, newest first", "reinstate job list --limit 10"},
                       [options](Session& session) { return List(*options, session); });
  list->add_option("-s,--store", options->store, "Only those of this store")->type_name("NAME");
  list->add_option("--limit", options->limit, "At most so many; 0 for all")->capture_default_str();

  add_id(tree->AddCommand(
      noun, {"show", "Shows one job", "reinstate job show job-01HF8Z3V9K2M4N6P8Q0R2S4T6V"},
      [options](Session& session) { return Show(*options, session); }));

  add_id(tree->AddCommand(noun,
                          {"watch", "Waits until a job has ended",
                           "reinstate job watch job-01HF8Z3V9K2M4N6P8Q0R2S4T6V"},
                          [options](Session& session) { return Watch(*options, session); }));

  CLI::App* cancel = tree->AddCommand(
      noun, {"cancel", "Asks a job to stop", "reinstate job cancel job-01HF8Z3V9K2M4N6P8Q0R2S4T6V"},
      [options](Session& session) { return Cancel(*options, session); });
  add_id(cancel);
  cancel->add_option("--reason", options->reason, "Why, for the audit");
}

}  // namespace reinstate

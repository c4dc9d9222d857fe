#include "server/jobs/postponed_jobs.h"

#include "absl/strings/str_cat.h"

namespace reinstate {

bool PostponedJobs::Postpone(const std::string& id, const std::string& store,
                             const absl::Status& why) {
  MutexLock lock(&mu_);
  Postponed& job = jobs_[id];
  job.store = store;
  job.waits = true;
  job.why = std::string(why.message());
  return ++job.runs < most_runs_;
}

void PostponedJobs::Begin(const std::string& id) {
  MutexLock lock(&mu_);
  if (const auto found = jobs_.find(id); found != jobs_.end()) {
    found->second.waits = false;
  }
}

void PostponedJobs::Forget(const std::string& id) {
  MutexLock lock(&mu_);
  jobs_.erase(id);
}

std::optional<std::string> PostponedJobs::Why(const std::string& store) const {
  MutexLock lock(&mu_);
  int waiting = 0;
  std::string why;
  for (const auto& [id, job] : jobs_) {
    if (job.waits && job.store == store) {
      ++waiting;
      why = job.why;
    }
  }
  if (waiting == 0) {
    return std::nullopt;
  }
  return absl::StrCat(waiting, " of what was begun ", waiting == 1 ? "is" : "are",
                      " soon tried again, since the store was not available: ", why);
}

}  // namespace reinstate

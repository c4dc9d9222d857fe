#include "client/cli/job_views.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/humanize.h"
#include "client/cli/words.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

Style StyleOf(v1::JobState state) {
  switch (state) {
    case v1::JOB_STATE_SUCCEEDED:
      return Style::kGood;
    case v1::JOB_STATE_FAILED:
      return Style::kBad;
    case v1::JOB_STATE_CANCELLED:
      return Style::kWarning;
    default:
      return Style::kPlain;
  }
}

std::string FailureText(const v1::Job& job) {
  return job.has_failure()
             ? absl::StrCat(job.failure().message(), " [", job.failure().reason(), "]")
             : "";
}

std::string TookText(const v1::Job& job) {
  return job.has_start_time() && job.has_end_time()
             ? HumanDuration(ToTime(job.end_time()) - ToTime(job.start_time()))
             : "";
}

Fields<v1::Job> DetailFields(absl::Time now) {
  return {
      {"job", [](const v1::Job& j) { return TextValue(j.id(), Style::kBold); }},
      {"kind", [](const v1::Job& j) { return TextValue(WordFor(j.kind())); }},
      {"store", [](const v1::Job& j) { return TextValue(j.store()); }},
      {"state", [](const v1::Job& j) { return TextValue(WordFor(j.state()), StyleOf(j.state())); }},
      {"snapshot", [](const v1::Job& j) { return TextValue(j.snapshot()); }},
      {"rows", [](const v1::Job& j) { return CountValue(j.progress().rows_done()); }},
      {"notes", [](const v1::Job& j) { return TextValue(absl::StrJoin(j.notes(), " ")); }},
      {"failure", [](const v1::Job& j) { return TextValue(FailureText(j), Style::kBad); }},
      {"actor", [](const v1::Job& j) { return TextValue(j.actor().name()); }},
      {"created",
       [now](const v1::Job& j) { return TimeValue(j.has_create_time(), j.create_time(), now); }},
      {"ended", [now](const v1::Job& j) { return TimeValue(j.has_end_time(), j.end_time(), now); }},
      {"took", [](const v1::Job& j) { return TextValue(TookText(j)); }},
  };
}

}  // namespace

Fields<v1::Job> JobListFields(absl::Time now) {
  return {
      {"JOB", [](const v1::Job& j) { return TextValue(j.id()); }},
      {"KIND", [](const v1::Job& j) { return TextValue(WordFor(j.kind())); }},
      {"STORE", [](const v1::Job& j) { return TextValue(j.store()); }},
      {"STATE", [](const v1::Job& j) { return TextValue(WordFor(j.state()), StyleOf(j.state())); }},
      {"SNAPSHOT", [](const v1::Job& j) { return TextValue(j.snapshot()); }},
      {"CREATED",
       [now](const v1::Job& j) { return TimeValue(j.has_create_time(), j.create_time(), now); }},
      {"ACTOR", [](const v1::Job& j) { return TextValue(j.actor().name()); }},
      {"FAILURE", [](const v1::Job& j) { return TextValue(FailureText(j), Style::kBad); },
       Align::kLeft, true},
  };
}

absl::Status PrintJob(const v1::Job& job, const Session& session) {
  return session.output().One(job, DetailFields(session.now()), JobListFields(session.now()));
}

absl::Status ShowBegunJob(Session& session, v1::Job job, bool wait, const std::string& what) {
  if (wait) {
    ASSIGN_OR_RETURN(job, session.WaitForJob(job.id(), what));
  }
  RETURN_IF_ERROR(PrintJob(job, session));
  if (wait) {
    return OutcomeOf(job);
  }
  session.Hint(absl::StrCat("It goes on by itself. To follow it: reinstate job watch ", job.id()));
  return absl::OkStatus();
}

}  // namespace reinstate

#include "server/metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/time/time.h"
#include "storage/live/live_store.h"

namespace reinstate {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Registry;

using Buckets = Histogram::BucketBoundaries;

// Seconds. From a small tenant to one that takes hours.
Buckets JobBuckets() {
  return {0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 10800};
}

// A command or a call to an endpoint, with the waits before further attempts.
Buckets HookBuckets() { return {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300}; }

Buckets CallBuckets() {
  return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
}

// Why restores wait. A store behind the adapter protocol makes up names of its own.
constexpr const char* kHeldBackBy[] = {
    "rows_per_second", "bytes_per_second", "wal_growth",  "replication_lag", "slot_headroom",
    "commit_latency",  "sessions_waiting", "write_stall", kUnreachable,      "other"};

const char* OutcomeName(const state::HookOutcome& outcome) {
  if (outcome.finished_us() == 0) {
    return "interrupted";
  }
  return outcome.succeeded() ? "succeeded" : "failed";
}

std::string LowerName(const std::string& name) { return absl::AsciiStrToLower(name); }

std::string KindOf(const state::RestoreRecord& record) {
  return record.order().undo_of().empty() ? "restore" : "undo";
}

// Zero if it never began, or the clock was set back meanwhile.
double SecondsBetween(int64_t from_us, int64_t to_us) {
  return from_us == 0
             ? 0
             : absl::ToDoubleSeconds(absl::Microseconds(std::max<int64_t>(0, to_us - from_us)));
}

}  // namespace

struct Metrics::Families {
  std::shared_ptr<Registry> registry = std::make_shared<Registry>();

  Family<Gauge>& build_info = BuildGauge()
                                  .Name("reinstate_build_info")
                                  .Help("Always 1; the label says which version runs.")
                                  .Register(*registry);
  Family<Counter>& restores_ended =
      BuildCounter()
          .Name("reinstate_restores_ended_total")
          .Help("Restores and undos that came to a state; one that was in doubt comes to two.")
          .Register(*registry);
  Family<Histogram>& restore_duration =
      BuildHistogram()
          .Name("reinstate_restore_duration_seconds")
          .Help("From the first begin of a restore or undo to its end, without the queue.")
          .Register(*registry);
  Family<Counter>& rows = BuildCounter()
                              .Name("reinstate_restored_rows_total")
                              .Help(
                                  "Rows inserted, replaced and deleted by restores and undos that "
                                  "succeeded.")
                              .Register(*registry);
  Family<Counter>& bytes = BuildCounter()
                               .Name("reinstate_restored_bytes_total")
                               .Help(
                                   "Bytes of rows inserted and replaced by restores and undos "
                                   "that succeeded.")
                               .Register(*registry);
  Family<Counter>& held_back =
      BuildCounter()
          .Name("reinstate_throttle_seconds_total")
          .Help("How long restores waited for a limit of the throttle, or for a store to recover.")
          .Register(*registry);
  Family<Counter>& hook_runs =
      BuildCounter()
          .Name("reinstate_hook_runs_total")
          .Help("Hooks that were run before or after a restore or undo, with all their attempts.")
          .Register(*registry);
  Family<Counter>& hook_retries = BuildCounter()
                                      .Name("reinstate_hook_retries_total")
                                      .Help("Attempts of hooks after the first one of a run.")
                                      .Register(*registry);
  Family<Histogram>& hook_duration =
      BuildHistogram()
          .Name("reinstate_hook_duration_seconds")
          .Help("From the first attempt of a hook to its outcome, interrupted ones left out.")
          .Register(*registry);
  Family<Counter>& jobs_ended = BuildCounter()
                                    .Name("reinstate_history_jobs_ended_total")
                                    .Help(
                                        "Snapshots taken, verifications and retentions that "
                                        "came to a state.")
                                    .Register(*registry);
  Family<Histogram>& job_duration =
      BuildHistogram()
          .Name("reinstate_history_job_duration_seconds")
          .Help("From the begin of a job of the history to its success.")
          .Register(*registry);
  Family<Counter>& calls = BuildCounter()
                               .Name("reinstate_rpc_handled_total")
                               .Help("Calls and streams that got their status.")
                               .Register(*registry);
  Family<Histogram>& call_duration = BuildHistogram()
                                         .Name("reinstate_rpc_duration_seconds")
                                         .Help(
                                             "From the arrival of a call to its status; streams "
                                             "are left out.")
                                         .Register(*registry);

  // All that is counted of a store, from 0 on.
  void AddStore(const std::string& store) {
    rows.Add({{"store", store}});
    bytes.Add({{"store", store}});
    for (const char* reason : kHeldBackBy) {
      held_back.Add({{"store", store}, {"reason", reason}});
    }
    for (const char* kind : {"restore", "undo"}) {
      restore_duration.Add({{"store", store}, {"kind", kind}}, JobBuckets());
      for (const char* state : {"succeeded", "failed", "cancelled", "in_doubt"}) {
        restores_ended.Add({{"store", store}, {"kind", kind}, {"state", state}});
      }
    }
    for (const char* kind : {"take_snapshot", "verify_snapshot", "apply_retention"}) {
      job_duration.Add({{"store", store}, {"kind", kind}}, JobBuckets());
      for (const char* state : {"succeeded", "failed", "cancelled"}) {
        jobs_ended.Add({{"store", store}, {"kind", kind}, {"state", state}});
      }
    }
  }
};

Metrics::Metrics(const std::string& version, const std::vector<std::string>& stores,
                 const std::vector<std::string>& hooks)
    : families_(std::make_unique<Families>()) {
  families_->build_info.Add({{"version", version}}).Set(1);
  for (const std::string& store : stores) {
    families_->AddStore(store);
  }
  for (const std::string& hook : hooks) {
    families_->hook_retries.Add({{"hook", hook}});
    families_->hook_duration.Add({{"hook", hook}}, HookBuckets());
    for (const char* outcome : {"succeeded", "failed", "interrupted"}) {
      families_->hook_runs.Add({{"hook", hook}, {"outcome", outcome}});
    }
  }
}

Metrics::~Metrics() = default;

void Metrics::RestoreEnded(const state::RestoreRecord& restore) {
  const std::string& store = restore.order().store();
  const std::string kind = KindOf(restore);
  families_->restores_ended
      .Add({{"store", store},
            {"kind", kind},
            {"state", LowerName(state::JobState_Name(restore.state()))}})
      .Increment();
  if (restore.started_us() != 0 && restore.finished_us() != 0) {
    families_->restore_duration.Add({{"store", store}, {"kind", kind}}, JobBuckets())
        .Observe(SecondsBetween(restore.started_us(), restore.finished_us()));
  }
  if (restore.state() == state::SUCCEEDED) {
    families_->rows.Add({{"store", store}})
        .Increment(static_cast<double>(restore.plan().rows_to_change()));
    families_->bytes.Add({{"store", store}})
        .Increment(static_cast<double>(restore.plan().bytes_to_write()));
  }
}

void Metrics::HookRan(const state::HookOutcome& outcome, absl::Duration time) {
  families_->hook_runs.Add({{"hook", outcome.name()}, {"outcome", OutcomeName(outcome)}})
      .Increment();
  if (outcome.finished_us() != 0) {
    families_->hook_retries.Add({{"hook", outcome.name()}})
        .Increment(std::max(0, outcome.attempts() - 1));
    families_->hook_duration.Add({{"hook", outcome.name()}}, HookBuckets())
        .Observe(absl::ToDoubleSeconds(time));
  }
}

void Metrics::RestoresHeldBack(const std::string& store, const std::string& reason,
                               absl::Duration time) {
  const bool known =
      std::find(std::begin(kHeldBackBy), std::end(kHeldBackBy), reason) != std::end(kHeldBackBy);
  families_->held_back.Add({{"store", store}, {"reason", known ? reason : "other"}})
      .Increment(absl::ToDoubleSeconds(time));
}

void Metrics::HistoryJobEnded(const state::HistoryJob& job) {
  const std::string kind = LowerName(state::JobKind_Name(job.kind()));
  families_->jobs_ended
      .Add({{"store", job.store()},
            {"kind", kind},
            {"state", LowerName(state::JobState_Name(job.state()))}})
      .Increment();
  if (job.state() == state::SUCCEEDED) {
    families_->job_duration.Add({{"store", job.store()}, {"kind", kind}}, JobBuckets())
        .Observe(SecondsBetween(job.started_us(), job.finished_us()));
  }
}

void Metrics::CallEnded(const EndedCall& call) {
  families_->calls.Add({{"method", call.method}, {"code", call.code}}).Increment();
  if (!call.streaming) {
    families_->call_duration.Add({{"method", call.method}}, CallBuckets())
        .Observe(absl::ToDoubleSeconds(call.duration));
  }
}

std::shared_ptr<prometheus::Collectable> Metrics::registry() const { return families_->registry; }

}  // namespace reinstate

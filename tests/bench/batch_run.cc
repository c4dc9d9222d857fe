#include "tests/bench/batch_run.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "google/protobuf/util/time_util.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "tests/bench/bench_daemon.h"

namespace reinstate::bench {
namespace {

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Nanoseconds(google::protobuf::util::TimeUtil::DurationToNanoseconds(duration));
}

bool IsVerified(const v1::BatchLine& line) {
  return line.state() == v1::BATCH_LINE_STATE_SUCCEEDED && line.restores_size() == 1 &&
         line.restores(0).has_certificate();
}

// INTERNAL unless all of the list has been restored and verified.
absl::Status CheckAllVerified(const BatchRun& run, size_t tenants) {
  const auto verified = std::count_if(run.lines.begin(), run.lines.end(), IsVerified);
  if (static_cast<size_t>(verified) == tenants && run.lines.size() == tenants) {
    return absl::OkStatus();
  }
  std::string message = absl::StrCat(verified, " of ", tenants, " were restored.");
  for (const v1::BatchLine& failure : run.batch.failures()) {
    absl::StrAppend(&message, " Tenant ", failure.tenant().tenant(), ": ",
                    failure.problem().message());
  }
  return MakeError(Reason::kInternal, message);
}

}  // namespace

absl::StatusOr<BatchRun> RestoreList(
    const std::vector<std::string>& names,
    const std::function<absl::Status(const v1::Batch&)>& on_created, BatchCalls* calls) {
  BatchRun run;
  run.begin = absl::Now();
  ASSIGN_OR_RETURN(const std::vector<v1::BatchLineSpec> lines, calls->Resolve(names));
  run.asked = absl::Now();
  ASSIGN_OR_RETURN(const v1::Batch created, calls->Create(lines));
  if (on_created) {
    RETURN_IF_ERROR(on_created(created));
  }
  const auto note = [&run](const v1::Batch& batch) {
    run.samples.push_back({.at = absl::Now(), .progress = batch.progress()});
    if (batch.holding_back_size() > 0) {
      run.holding_back = batch.holding_back(0);
    }
  };
  ASSIGN_OR_RETURN(run.batch, calls->Follow(created.id(), note));
  run.end = absl::Now();
  ASSIGN_OR_RETURN(run.lines, calls->Lines(created.id()));
  RETURN_IF_ERROR(CheckAllVerified(run, names.size()));
  return run;
}

absl::Duration TimeToFirst(const BatchRun& run) {
  absl::Time first = absl::InfiniteFuture();
  for (const v1::BatchLine& line : run.lines) {
    first = std::min(first, ToTime(line.end_time()));
  }
  return first - run.asked;
}

std::vector<double> WorkerMilliseconds(const BatchRun& run, int64_t most_rows) {
  std::vector<double> milliseconds;
  for (const v1::BatchLine& line : run.lines) {
    if (line.restores(0).at_point().rows() <= most_rows) {
      milliseconds.push_back(
          absl::ToDoubleMilliseconds(ToTime(line.end_time()) - ToTime(line.start_time())));
    }
  }
  return milliseconds;
}

double EtaCheck::PercentOff() const {
  return 100 * std::abs(absl::FDivDuration((low + high) / 2, truth) - 1);
}

std::optional<EtaCheck> CheckEta(const BatchRun& run, double share) {
  for (const BatchRun::Sample& sample : run.samples) {
    const v1::Progress& progress = sample.progress;
    const auto done = static_cast<double>(progress.bytes_done());
    const bool is_due = done > 0 && done >= share * static_cast<double>(progress.bytes_total());
    if (is_due && progress.has_eta_low() && progress.has_eta_high() && sample.at < run.end) {
      return EtaCheck{.low = ToDuration(progress.eta_low()),
                      .high = ToDuration(progress.eta_high()),
                      .truth = run.end - sample.at};
    }
  }
  return std::nullopt;
}

}  // namespace reinstate::bench

#include "tests/bench/replay_bench.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "server/config/daemon_config.h"
#include "storage/base/status_macros.h"
#include "tests/bench/batch_calls.h"
#include "tests/bench/batch_run.h"
#include "tests/bench/batch_watchers.h"
#include "tests/bench/bench_daemon.h"
#include "tests/bench/control_probe.h"
#include "tests/bench/postgres_baselines.h"
#include "tests/bench/postgres_tracker.h"
#include "tests/bench/replay_model.h"
#include "tests/bench/replay_site.h"
#include "tests/bench/restore_probe.h"
#include "tests/bench/write_load.h"
#include "tests/support/postgres_site_config.h"

namespace reinstate::bench {
namespace {

constexpr double kMiB = 1 << 20;
constexpr absl::Duration kScriptTime = absl::Seconds(23);
constexpr int kScriptConnections = 2;
constexpr int64_t kSmallTenantRows = 100;
constexpr double kEtaShare = 0.25;  // of the work, after which it must be right
constexpr int64_t kThrottledRowsPerSecond = 5'000;
constexpr int kThrottledRestores = 1;                // at once
constexpr absl::Duration kCalm = absl::Seconds(30);  // writes without a restore, before and after
constexpr std::array<double, 4> kPausedAfter = {0.02, 0.2, 0.4, 0.6};  // shares of the work
constexpr double kCancelledAfter = 0.8;
constexpr int kWatchers = 1'000;
constexpr size_t kOneInWatched = 4;  // of the lost tenants

void Say(const std::string& text) {
  absl::PrintF("      %s\n", text);
  std::fflush(stdout);
}

// The daemon's by default, each with a connection.
int Workers() { return static_cast<int>(DefaultRestoreWorkers()); }

double Seconds(absl::Duration time) { return absl::ToDoubleSeconds(time); }
double Milliseconds(absl::Duration time) { return absl::ToDoubleMilliseconds(time); }

std::string WriteRate() {
  return absl::StrFormat("%d writers of other tenants at %.0f transactions/s in all",
                         WriteLoad::kWriters,
                         WriteLoad::kWriters / absl::ToDoubleSeconds(WriteLoad::kEvery));
}

// The script: deletes these sites, evenly over `time`. Returns how long it took.
absl::StatusOr<absl::Duration> RunScript(const std::string& conninfo,
                                         const std::vector<int64_t>& sites, absl::Duration time) {
  const absl::Time start = absl::Now();
  std::atomic<size_t> next = 0;
  const auto remove = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const std::unique_ptr<PlainDatabase> database,
                     PlainDatabase::Connect(conninfo));
    for (size_t i = next++; i < sites.size(); i = next++) {
      const absl::Time due = start + time * static_cast<double>(i) / sites.size();
      absl::SleepFor(due - absl::Now());
      RETURN_IF_ERROR(DeleteSites(database.get(), {&sites[i], 1}, /*silent=*/true));
    }
    return absl::OkStatus();
  };
  std::vector<absl::Status> statuses(kScriptConnections);
  std::vector<std::thread> threads;
  threads.reserve(statuses.size());
  for (absl::Status& status : statuses) {
    threads.emplace_back([&status, &remove] { status = remove(); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const absl::Status& status : statuses) {
    RETURN_IF_ERROR(status);
  }
  return absl::Now() - start;
}

class ReplayBench {
 public:
  ReplayBench(ReplayBenchSettings settings, FigureReport* report)
      : settings_(std::move(settings)),
        report_(report),
        replay_(MakeReplaySite(settings_.scale, WriteLoad::kWriters)),
        site_(replay_.sizes) {}

  absl::StatusOr<int64_t> Measure();

 private:
  std::string Folder(const std::string& name) const {
    return absl::StrCat(settings_.work, "/replay-", name);
  }
  std::vector<std::string> Names(const std::vector<size_t>& sites) const;

  absl::Status Load();
  absl::Status DeleteLost();
  absl::Status CopyBack();
  absl::Status MeasureIncident();
  void ReportIncident(const BatchRun& run);
  void ReportEta(const BatchRun& run);
  absl::Status MeasureThrottled();
  void ReportWrites(const std::vector<double>& without, const std::vector<double>& with,
                    const BatchRun& run);
  absl::Status MeasureControl();
  void ReportControl(const std::vector<StopTimes>& stops);
  absl::Status MeasureWatchers();
  void ReportWatchers(const BatchWatchers::Outcome& told, const RestoreProbe::Outcome& gets,
                      const BatchRun& run);
  absl::Status CompareWithModel(const ReplayModel& model);

  const ReplayBenchSettings settings_;
  FigureReport* const report_;
  const ReplaySite replay_;
  const PostgresSite site_;
  std::unique_ptr<PostgresTracker> tracker_;
  std::unique_ptr<BenchDaemon> daemon_;
  std::unique_ptr<BatchCalls> calls_;
  std::unique_ptr<WriteLoad> load_;
  int64_t lost_rows_ = 0;
  absl::Duration copy_time_;
};

std::vector<std::string> ReplayBench::Names(const std::vector<size_t>& sites) const {
  std::vector<std::string> names;
  names.reserve(sites.size());
  for (const size_t site : sites) {
    names.push_back(site_.SiteName(site));
  }
  return names;
}

absl::Status ReplayBench::Load() {
  Say(absl::StrFormat("PostgreSQL 15: %s", PostgresTracker::Settings()));
  const absl::Time start = absl::Now();
  ASSIGN_OR_RETURN(tracker_, PostgresTracker::Load(&site_));
  ASSIGN_OR_RETURN(const int64_t bytes, tracker_->Bytes());
  Say(absl::StrFormat("loaded %d rows of %d sites, %.0f MiB with indexes, in %.1f s",
                      site_.TotalRows(), site_.sites(), static_cast<double>(bytes) / kMiB,
                      Seconds(absl::Now() - start)));
  ASSIGN_OR_RETURN(daemon_, tracker_->StartDaemon(Folder("main")));
  calls_ = std::make_unique<BatchCalls>(daemon_->address(), kSiteStore);
  load_ = std::make_unique<WriteLoad>(site_, replay_.written, tracker_->conninfo());
  return absl::OkStatus();
}

absl::Status ReplayBench::DeleteLost() {
  ASSIGN_OR_RETURN(
      const absl::Duration time,
      RunScript(tracker_->conninfo(), tracker_->Ids(replay_.lost), kScriptTime * settings_.scale));
  Say(absl::StrFormat("deleted %d of %d sites in %.1f s, with %s", replay_.lost.size(),
                      site_.sites(), Seconds(time), WriteRate()));
  return absl::OkStatus();
}

absl::Status ReplayBench::CopyBack() {
  ASSIGN_OR_RETURN(const ReadyMadeFiles files,
                   ReadyMadeFiles::Write(&site_, replay_.lost, Folder("files")));
  lost_rows_ = files.rows();
  load_->Begin();
  RETURN_IF_ERROR(DeleteLost());
  // As the daemon connects: over TCP.
  const std::string conninfo = tracker_->server()->OnTcp(tracker_->database_name());
  ASSIGN_OR_RETURN(copy_time_, files.CopyBack(conninfo, Workers(), /*silent=*/true));
  RETURN_IF_ERROR(load_->End());
  return tracker_->Rest();
}

absl::Status ReplayBench::MeasureIncident() {
  load_->Begin();
  RETURN_IF_ERROR(DeleteLost());
  ASSIGN_OR_RETURN(const BatchRun run, RestoreList(Names(replay_.lost), nullptr, calls_.get()));
  RETURN_IF_ERROR(load_->End());
  ReportIncident(run);
  ReportEta(run);
  return tracker_->Rest();
}

void ReplayBench::ReportIncident(const BatchRun& run) {
  if (!run.holding_back.empty()) {
    Say(absl::StrCat("for some time restores were held back: ", run.holding_back));
  }
  const double seconds = Seconds(run.end - run.begin);
  report_->Add(
      {.name = "replay_time",
       .text = absl::StrFormat("replay: from the list to all %d verified", run.lines.size()),
       .value = seconds,
       .unit = "s",
       .aim = Aim::kNone,
       .detail = absl::StrFormat(
           "%d rows, verified and with undo, of %d tenants; names resolved in %.2f s; %s",
           lost_rows_, site_.sites(), Seconds(run.asked - run.begin), WriteRate())});
  report_->Add({.name = "replay_to_copy",
                .text = "replay: from the list to verified : COPY",
                .value = seconds / Seconds(copy_time_),
                .unit = "x",
                .bound = 2,
                .detail = absl::StrFormat(
                    "%.1f s, %d workers; COPY in %.1f s (from ready-made files, triggers and "
                    "foreign keys off, %d connections, the same writers)",
                    seconds, Workers(), Seconds(copy_time_), Workers())});
  report_->Add({.name = "replay_first_tenant",
                .text = "replay: from `batch create` to the first tenant",
                .value = Milliseconds(TimeToFirst(run)),
                .unit = "ms",
                .aim = Aim::kNone,
                .detail = "with the look whether tenants still lose rows"});
  const std::vector<double> small = WorkerMilliseconds(run, kSmallTenantRows);
  if (!small.empty()) {
    report_->Add({.name = "replay_small_tenant",
                  .text = "replay: a worker's time for a small tenant",
                  .value = Median(small),
                  .unit = "ms",
                  .bound = 25,
                  .detail = absl::StrFormat(
                      "median of %d tenants of at most %d rows; 99th percentile %.1f ms",
                      small.size(), kSmallTenantRows, Percentile(small, 0.99))});
  }
}

void ReplayBench::ReportEta(const BatchRun& run) {
  Figure figure = {.name = "replay_eta",
                   .text = "replay: ETA after a quarter of the work, off by",
                   .value = 100,
                   .unit = "%",
                   .bound = 20,
                   .detail = "none was shown"};
  if (const std::optional<EtaCheck> check = CheckEta(run, kEtaShare)) {
    figure.value = check->PercentOff();
    figure.detail = absl::StrFormat(
        "%.1f to %.1f s were left, it said (the middle counts); %.1f s "
        "it was",
        Seconds(check->low), Seconds(check->high), Seconds(check->truth));
  }
  report_->Add(std::move(figure));
}

absl::Status ReplayBench::MeasureThrottled() {
  v1::Throttle throttle;
  throttle.set_rows_per_second(kThrottledRowsPerSecond);
  throttle.set_max_running(kThrottledRestores);
  RETURN_IF_ERROR(calls_->Throttle(throttle));
  load_->Begin();
  const absl::Time calm = absl::Now();
  absl::SleepFor(kCalm);
  const absl::Time calm_end = absl::Now();
  RETURN_IF_ERROR(DeleteLost());
  ASSIGN_OR_RETURN(const BatchRun run, RestoreList(Names(replay_.lost), nullptr, calls_.get()));
  absl::SleepFor(kCalm);
  RETURN_IF_ERROR(load_->End());
  std::vector<double> without = load_->Latencies(calm, calm_end);
  const std::vector<double> after = load_->Latencies(run.end, run.end + kCalm);
  without.insert(without.end(), after.begin(), after.end());
  ReportWrites(without, load_->Latencies(run.begin, run.end), run);
  RETURN_IF_ERROR(calls_->Throttle(v1::Throttle()));
  return tracker_->Rest();
}

void ReplayBench::ReportWrites(const std::vector<double>& without, const std::vector<double>& with,
                               const BatchRun& run) {
  if (without.empty() || with.empty()) {
    return;
  }
  report_->Add(
      {.name = "replay_write_latency",
       .text = "replay: 99th percentile of others' writes : without",
       .value = Percentile(with, 0.99) / Percentile(without, 0.99),
       .unit = "x",
       .bound = 1.5,
       .detail = absl::StrFormat(
           "%.1f ms, median %.1f ms, of %d with a restore throttled to %d rows/s and %d at once "
           "(%.1f s); %.1f ms, median %.1f ms, of %d without, before and after it; each from when "
           "it was due",
           Percentile(with, 0.99), Median(with), with.size(), kThrottledRowsPerSecond,
           kThrottledRestores, Seconds(run.end - run.begin), Percentile(without, 0.99),
           Median(without), without.size())});
}

absl::Status ReplayBench::MeasureControl() {
  load_->Begin();
  RETURN_IF_ERROR(tracker_->Delete(replay_.lost));
  ASSIGN_OR_RETURN(const std::vector<v1::BatchLineSpec> lines,
                   calls_->Resolve(Names(replay_.lost)));
  ASSIGN_OR_RETURN(const v1::Batch created, calls_->Create(lines));
  const std::string& id = created.id();
  std::vector<StopTimes> stops;
  for (const double share : kPausedAfter) {
    ASSIGN_OR_RETURN(const StopTimes times, StopBatchAt(
                                                share, id, [&] { return calls_->Pause(id); },
                                                v1::BATCH_STATE_PAUSED, calls_.get()));
    stops.push_back(times);
    RETURN_IF_ERROR(calls_->Resume(id));
  }
  ASSIGN_OR_RETURN(const StopTimes times,
                   StopBatchAt(
                       kCancelledAfter, id, [&] { return calls_->Cancel(id); },
                       v1::BATCH_STATE_CANCELLING, calls_.get()));
  stops.push_back(times);
  ReportControl(stops);
  RETURN_IF_ERROR(RestoreList(Names(replay_.lost), nullptr, calls_.get()).status());
  RETURN_IF_ERROR(load_->End());
  return tracker_->Rest();
}

void ReplayBench::ReportControl(const std::vector<StopTimes>& stops) {
  StopTimes worst;
  int64_t running = 0;
  for (const StopTimes& times : stops) {
    worst.state = std::max(worst.state, times.state);
    worst.free = std::max(worst.free, times.free);
    running += times.running;
  }
  report_->Add({.name = "replay_stop_state",
                .text = "replay: until a batch that is stopped says so, at worst",
                .value = Milliseconds(worst.state),
                .unit = "ms",
                .bound = 1000,
                .detail = absl::StrFormat("%d times paused or cancelled while %d restores ran",
                                          stops.size(), running)});
  report_->Add({.name = "replay_stop_free",
                .text = "replay: until its workers are free, at worst",
                .value = Milliseconds(worst.free),
                .unit = "ms",
                .bound = 5000,
                .detail = "what ran is rolled back"});
}

absl::Status ReplayBench::MeasureWatchers() {
  std::vector<size_t> some;
  for (size_t i = 0; i < replay_.lost.size(); i += kOneInWatched) {
    some.push_back(replay_.lost[i]);
  }
  RETURN_IF_ERROR(tracker_->Delete(some));
  std::unique_ptr<BatchWatchers> watchers;
  std::unique_ptr<RestoreProbe> probe;
  const auto on_created = [&](const v1::Batch& batch) -> absl::Status {
    ASSIGN_OR_RETURN(const std::vector<v1::BatchLine> lines, calls_->Lines(batch.id()));
    std::vector<std::string> restores;
    restores.reserve(lines.size());
    for (const v1::BatchLine& line : lines) {
      restores.push_back(line.restores(0).restore());
    }
    watchers = std::make_unique<BatchWatchers>(daemon_->address(), batch.id(), kWatchers);
    probe = std::make_unique<RestoreProbe>(std::move(restores), calls_.get());
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const BatchRun run, RestoreList(Names(some), on_created, calls_.get()));
  ASSIGN_OR_RETURN(const RestoreProbe::Outcome gets, probe->End());
  ReportWatchers(watchers->Await(), gets, run);
  return tracker_->Rest();
}

void ReplayBench::ReportWatchers(const BatchWatchers::Outcome& told,
                                 const RestoreProbe::Outcome& gets, const BatchRun& run) {
  report_->Add(
      {.name = "replay_watchers",
       .text = absl::StrFormat("replay: of %d watchers, told of the end", kWatchers),
       .value = static_cast<double>(told.told),
       .unit = "",
       .aim = Aim::kAtLeast,
       .bound = kWatchers,
       .detail = absl::StrFormat(
           "of a batch of %d tenants in %.1f s; %d watched before its end, over %d connections; %d "
           "messages in all%s",
           run.lines.size(), Seconds(run.end - run.asked), told.there_before,
           BatchWatchers::kConnections, told.messages,
           told.failure.ok() ? "" : absl::StrCat("; ", told.failure.message()))});
  report_->Add({.name = "replay_watchers_delay",
                .text = "replay: from the end until the last of them was told",
                .value = Milliseconds(told.last_told - ToTime(run.batch.end_time())),
                .unit = "ms",
                .bound = 1000,
                .detail = "by the batch's own time of its end"});
  report_->Add({.name = "replay_restore_get",
                .text = "replay: `restore get`, 99th percentile",
                .value = Percentile(gets.milliseconds, 0.99),
                .unit = "ms",
                .bound = 100,
                .detail = absl::StrFormat("of %d calls during that batch, %d of them refused at "
                                          "first; median %.1f ms",
                                          gets.milliseconds.size(), gets.refused,
                                          Median(gets.milliseconds))});
}

absl::Status ReplayBench::CompareWithModel(const ReplayModel& model) {
  const std::vector<int64_t> lost = tracker_->Ids(replay_.lost);
  ASSIGN_OR_RETURN(const ReplayModel::Differences differences,
                   model.Compare(*load_, {lost.begin(), lost.end()}, tracker_->database()));
  report_->Add(
      {.name = "replay_other_rows",
       .text = "replay: rows of others that differ from the model",
       .value = static_cast<double>(differences.others),
       .unit = "",
       .bound = 0,
       .detail = absl::StrFormat(
           "all %d rows compared, after all deletions and restores; %d rows of the %d "
           "tenants "
           "that are written to with what their writers know, others by a sum a table and tenant",
           differences.rows, differences.written_rows, load_->ids().size())});
  report_->Add({.name = "replay_lost_rows",
                .text = "replay: rows of the lost that differ from before",
                .value = static_cast<double>(differences.lost),
                .unit = "",
                .bound = 0,
                .detail = absl::StrFormat("%d rows of %d tenants, by a sum a table and tenant",
                                          lost_rows_, replay_.lost.size())});
  return absl::OkStatus();
}

absl::StatusOr<int64_t> ReplayBench::Measure() {
  RETURN_IF_ERROR(Load());
  ASSIGN_OR_RETURN(const ReplayModel model, ReplayModel::Read(tracker_->database()));
  ASSIGN_OR_RETURN(const BenchDaemon::SnapshotRun snapshot, daemon_->TakeSnapshot());
  Say(absl::StrFormat("snapshot of %d rows in %.1f s", snapshot.rows, Seconds(snapshot.time)));
  daemon_->AwaitQuiet();
  RETURN_IF_ERROR(CopyBack());
  RETURN_IF_ERROR(MeasureIncident());
  RETURN_IF_ERROR(MeasureThrottled());
  RETURN_IF_ERROR(MeasureControl());
  RETURN_IF_ERROR(MeasureWatchers());
  RETURN_IF_ERROR(CompareWithModel(model));
  return daemon_->PeakBytes();
}

}  // namespace

absl::StatusOr<int64_t> MeasureReplay(const ReplayBenchSettings& settings, FigureReport* report) {
  return ReplayBench(settings, report).Measure();
}

}  // namespace reinstate::bench

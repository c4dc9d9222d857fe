#include "tests/bench/postgres_bench.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "tests/bench/bench_daemon.h"
#include "tests/bench/postgres_baselines.h"
#include "tests/bench/postgres_tracker.h"

namespace reinstate::bench {
namespace {

constexpr double kMiB = 1 << 20;
constexpr int64_t kSites = 2'000;
constexpr int64_t kRows = 5'000'000;
constexpr size_t kEveryTenth = 10;
constexpr size_t kFirstVictim = 3;  // in the order of size
constexpr int64_t kOneIn = 100;     // rows that change before a further snapshot

void Say(const std::string& text) {
  absl::PrintF("      %s\n", text);
  std::fflush(stdout);
}

double Seconds(absl::Duration time) { return absl::ToDoubleSeconds(time); }
double Milliseconds(absl::Duration time) { return absl::ToDoubleMilliseconds(time); }
double MiB(int64_t bytes) { return static_cast<double>(bytes) / kMiB; }

// A tenth of the sites, of all sizes, the largest first; not the very largest.
std::vector<size_t> Victims(const PostgresSite& site) {
  const std::vector<size_t> order = site.BySize();
  std::vector<size_t> victims;
  for (size_t rank = kFirstVictim; rank < order.size(); rank += kEveryTenth) {
    victims.push_back(order[rank]);
  }
  return victims;
}

class PostgresBench {
 public:
  PostgresBench(PostgresBenchSettings settings, FigureReport* report)
      : settings_(std::move(settings)),
        report_(report),
        site_(LongTailSizes(Scaled(kSites), Scaled(kRows))),
        victims_(Victims(site_)) {}

  absl::StatusOr<int64_t> Measure();

 private:
  // The same rows put back by hand, in both ways, and by us.
  struct RestoreTimes {
    std::vector<double> by_hand;
    std::vector<double> fastest;
    std::vector<double> ours;
    std::vector<double> to_by_hand;
    std::vector<double> to_fastest;
    std::vector<double> checks;  // percent of the restores
  };

  // Of the first snapshot and of the dump just before it.
  struct FirstTimes {
    DumpRun dump;
    BenchDaemon::SnapshotRun snapshot;
  };

  int64_t Scaled(int64_t amount) const {
    return static_cast<int64_t>(static_cast<double>(amount) * settings_.scale);
  }
  std::string Folder(const std::string& name) const {
    return absl::StrCat(settings_.work, "/postgres-", name);
  }

  absl::Status Load();
  absl::StatusOr<absl::Duration> CopyBack(const ReadyMadeFiles& files, int connections,
                                          bool silent);
  absl::StatusOr<int> FastestConnections(const ReadyMadeFiles& files, bool silent);
  absl::Status Restore(RestoreTimes* times);
  absl::Status MeasureRestore();
  void ReportRestore(const RestoreTimes& times, int64_t rows, const std::string& by_hand,
                     const std::string& fastest);
  absl::StatusOr<FirstTimes> DumpAndTakeFirstSnapshot();
  absl::Status MeasureFirstSnapshot();
  absl::Status MeasureSecondSnapshot();
  absl::Status MeasureCommandLine();

  const PostgresBenchSettings settings_;
  FigureReport* const report_;
  const PostgresSite site_;
  const std::vector<size_t> victims_;
  std::unique_ptr<PostgresTracker> tracker_;
  std::unique_ptr<BenchDaemon> daemon_;
  BenchDaemon::SnapshotRun first_;  // the first snapshot, of median time
};

absl::Status PostgresBench::Load() {
  Say(absl::StrFormat("PostgreSQL 15: %s", PostgresTracker::Settings()));
  const absl::Time start = absl::Now();
  ASSIGN_OR_RETURN(tracker_, PostgresTracker::Load(&site_));
  ASSIGN_OR_RETURN(const int64_t bytes, tracker_->Bytes());
  Say(absl::StrFormat("loaded %d rows of %d sites, %.0f MiB with indexes, in %.1f s",
                      site_.TotalRows(), site_.sites(), MiB(bytes), Seconds(absl::Now() - start)));
  ASSIGN_OR_RETURN(daemon_, tracker_->StartDaemon(Folder("main")));
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> PostgresBench::CopyBack(const ReadyMadeFiles& files, int connections,
                                                       bool silent) {
  RETURN_IF_ERROR(tracker_->Delete(victims_));
  return files.CopyBack(tracker_->conninfo(), connections, silent);
}

absl::StatusOr<int> PostgresBench::FastestConnections(const ReadyMadeFiles& files, bool silent) {
  int fastest = 0;
  absl::Duration best = absl::InfiniteDuration();
  for (const int connections : {1, 2, 4}) {
    ASSIGN_OR_RETURN(const absl::Duration time, CopyBack(files, connections, silent));
    Say(absl::StrFormat(
        "COPY of %d rows of %d sites from files, triggers and foreign keys %s, %d "
        "connections: %.2f s",
        files.rows(), victims_.size(), silent ? "off" : "on", connections, Seconds(time)));
    if (time < best) {
      best = time;
      fastest = connections;
    }
  }
  return fastest;
}

absl::Status PostgresBench::Restore(RestoreTimes* times) {
  RETURN_IF_ERROR(tracker_->Delete(victims_));
  RETURN_IF_ERROR(tracker_->ForgetStatements());
  std::vector<std::string> ids;
  for (const int64_t id : tracker_->Ids(victims_)) {
    ids.push_back(absl::StrCat(id));
  }
  ASSIGN_OR_RETURN(const BenchDaemon::RestoreRun run, daemon_->Restore(ids));
  ASSIGN_OR_RETURN(const absl::Duration checks, tracker_->TimeOfChecks());
  times->ours.push_back(Seconds(run.time));
  times->to_by_hand.push_back(times->ours.back() / times->by_hand.back());
  times->to_fastest.push_back(times->ours.back() / times->fastest.back());
  times->checks.push_back(100 * Seconds(checks) / Seconds(run.busy));
  return absl::OkStatus();
}

absl::Status PostgresBench::MeasureRestore() {
  ASSIGN_OR_RETURN(const ReadyMadeFiles files,
                   ReadyMadeFiles::Write(&site_, victims_, Folder("files")));
  ASSIGN_OR_RETURN(const std::string before, tracker_->Fingerprint());
  ASSIGN_OR_RETURN(const int by_hand, FastestConnections(files, /*silent=*/false));
  ASSIGN_OR_RETURN(const int fastest, FastestConnections(files, /*silent=*/true));
  RestoreTimes times;
  for (int i = 0; i < settings_.repeats; ++i) {
    ASSIGN_OR_RETURN(const absl::Duration loud, CopyBack(files, by_hand, /*silent=*/false));
    times.by_hand.push_back(Seconds(loud));
    ASSIGN_OR_RETURN(const absl::Duration silent, CopyBack(files, fastest, /*silent=*/true));
    times.fastest.push_back(Seconds(silent));
    RETURN_IF_ERROR(Restore(&times));
    ASSIGN_OR_RETURN(const std::string after, tracker_->Fingerprint());
    if (before != after) {
      return MakeError(Reason::kShortfall, "The rows are not those from before the deletion.");
    }
  }
  ReportRestore(times, files.rows(), absl::StrFormat("%d connections", by_hand),
                absl::StrFormat("%d connections", fastest));
  return absl::OkStatus();
}

void PostgresBench::ReportRestore(const RestoreTimes& times, int64_t rows,
                                  const std::string& by_hand, const std::string& fastest) {
  const std::string ours = absl::StrFormat("%d rows of %d sites in %.2f s, verified and with undo",
                                           rows, victims_.size(), Median(times.ours));
  report_->Add({.name = "postgres_restore_by_hand",
                .text = "PostgreSQL: restore : COPY from ready-made files",
                .value = Median(times.to_by_hand),
                .unit = "x",
                .bound = 1.2,
                .detail = absl::StrFormat("%s; COPY in %.2f s (triggers and foreign keys on, %s)",
                                          ours, Median(times.by_hand), by_hand)});
  report_->Add({.name = "postgres_restore_fastest",
                .text = "PostgreSQL: restore : COPY without any checks",
                .value = Median(times.to_fastest),
                .unit = "x",
                .bound = 2,
                .detail = absl::StrFormat("%s; COPY in %.2f s (triggers and foreign keys off, %s)",
                                          ours, Median(times.fastest), fastest)});
  report_->Add({.name = "postgres_checks",
                .text = "PostgreSQL: constraint checks, share of the restore",
                .value = Median(times.checks),
                .unit = "%",
                .bound = 10,
                .detail = "time of their statements in the server (pg_stat_statements) : time of "
                          "the restores, just after the deletion and ANALYZE"});
}

absl::StatusOr<PostgresBench::FirstTimes> PostgresBench::DumpAndTakeFirstSnapshot() {
  FirstTimes times;
  std::filesystem::remove_all(Folder("dump"));
  sync();
  // As the daemon connects: over TCP.
  ASSIGN_OR_RETURN(times.dump,
                   Dump(tracker_->server()->OnTcp(tracker_->database_name()), Folder("dump")));
  RETURN_IF_ERROR(daemon_->RestartWithoutHistory());
  sync();
  ASSIGN_OR_RETURN(times.snapshot, daemon_->TakeSnapshot());
  if (times.snapshot.rows != site_.TotalRows()) {
    return MakeError(Reason::kShortfall, absl::StrCat("The snapshot has ", times.snapshot.rows,
                                                      " of ", site_.TotalRows(), " rows."));
  }
  return times;
}

absl::Status PostgresBench::MeasureFirstSnapshot() {
  // Once without counting, so that what comes first leaves nothing warmer for the other: tables in
  // memory, connections' catalogs, pages that the host of a virtual machine has yet to hand over.
  ASSIGN_OR_RETURN(const FirstTimes uncounted, DumpAndTakeFirstSnapshot());
  Say(
      absl::StrFormat("not counted: the first snapshot of all in %.2f s, the dump before it in "
                      "%.2f s",
                      Seconds(uncounted.snapshot.time), Seconds(uncounted.dump.time)));
  std::vector<double> ratios;
  std::vector<double> seconds;
  std::vector<double> dump_seconds;
  DumpRun dump;
  for (int i = 0; i < settings_.repeats; ++i) {
    ASSIGN_OR_RETURN(const FirstTimes times, DumpAndTakeFirstSnapshot());
    dump = times.dump;
    first_ = times.snapshot;
    seconds.push_back(Seconds(first_.time));
    dump_seconds.push_back(Seconds(dump.time));
    ratios.push_back(seconds.back() / dump_seconds.back());
  }
  first_.time = absl::Seconds(Median(seconds));
  report_->Add({.name = "postgres_first_snapshot_time",
                .text = "PostgreSQL: first snapshot, time : pg_dump",
                .value = Median(ratios),
                .unit = "x",
                .bound = 1.3,
                .detail = absl::StrFormat("%d rows in %.2f s; pg_dump -Fd -j2 -Z1 in %.2f s",
                                          first_.rows, Median(seconds), Median(dump_seconds))});
  report_->Add({.name = "postgres_first_snapshot_bytes",
                .text = "PostgreSQL: first snapshot, bytes on disk : pg_dump",
                .value = MiB(first_.disk_bytes) / MiB(dump.bytes),
                .unit = "x",
                .bound = 1.15,
                .detail = absl::StrFormat("%.1f MiB of history; %.1f MiB of dump",
                                          MiB(first_.disk_bytes), MiB(dump.bytes))});
  return absl::OkStatus();
}

absl::Status PostgresBench::MeasureCommandLine() {
  constexpr int kTimesMore = 7;
  const size_t site = site_.BySize().back();
  const int64_t id = site_.SiteId(site);
  std::vector<double> milliseconds;
  for (int i = 0; i < kTimesMore * settings_.repeats; ++i) {
    RETURN_IF_ERROR(DeleteSites(tracker_->database(), {&id, 1}, /*silent=*/true));
    ASSIGN_OR_RETURN(const absl::Duration time,
                     daemon_->RestoreByCommandLine(absl::StrCat(id), settings_.cli));
    milliseconds.push_back(Milliseconds(time));
  }
  RETURN_IF_ERROR(tracker_->Delete({site}));
  PostgresServer* const server = tracker_->server();
  const std::string scratch = server->MakeDatabase();
  ASSIGN_OR_RETURN(const ScratchRun run, RestoreByScratch(Folder("dump"), server->OnSocket(scratch),
                                                          tracker_->conninfo(), id));
  RETURN_IF_ERROR(tracker_->database()->Run(absl::StrCat("DROP DATABASE ", scratch)));
  report_->Add({.name = "postgres_command_line",
                .text = "PostgreSQL: one small tenant by the command line",
                .value = Median(milliseconds),
                .unit = "ms",
                .bound = 250,
                .detail = absl::StrFormat(
                    "restore create --wait of %d rows, from the start of the program to its exit",
                    site_.Rows(site))});
  report_->Add({.name = "postgres_command_line_gain",
                .text = "PostgreSQL: the way without us : the same tenant by us",
                .value = Milliseconds(run.restore + run.copy) / Median(milliseconds),
                .unit = "x",
                .aim = Aim::kAtLeast,
                .bound = 300,
                .detail = absl::StrFormat("pg_restore -j2 of the dump into a scratch database in "
                                          "%.2f s, copying the tenant in %.0f ms (measured once)",
                                          Seconds(run.restore), Milliseconds(run.copy))});
  return absl::OkStatus();
}

absl::Status PostgresBench::MeasureSecondSnapshot() {
  std::vector<double> seconds;
  std::vector<double> bytes;
  for (int i = 0; i < settings_.repeats; ++i) {
    RETURN_IF_ERROR(tracker_->ChangeRows(kOneIn, i + 1));
    ASSIGN_OR_RETURN(const BenchDaemon::SnapshotRun run, daemon_->TakeSnapshot());
    seconds.push_back(Seconds(run.time));
    bytes.push_back(static_cast<double>(run.added_bytes));
  }
  report_->Add({.name = "postgres_second_snapshot_bytes",
                .text = "PostgreSQL: snapshot after 1 % changed, bytes : first",
                .value = 100 * Median(bytes) / static_cast<double>(first_.added_bytes),
                .unit = "%",
                .bound = 3,
                .detail = absl::StrFormat("%.2f MiB added; the first %.1f MiB",
                                          Median(bytes) / kMiB, MiB(first_.added_bytes))});
  report_->Add({.name = "postgres_second_snapshot_time",
                .text = "PostgreSQL: snapshot after 1 % changed, time : first",
                .value = Median(seconds) / Seconds(first_.time),
                .unit = "x",
                .bound = 1.1,
                .detail = absl::StrFormat("%.2f s; the first %.2f s", Median(seconds),
                                          Seconds(first_.time))});
  return absl::OkStatus();
}

absl::StatusOr<int64_t> PostgresBench::Measure() {
  RETURN_IF_ERROR(Load());
  RETURN_IF_ERROR(MeasureFirstSnapshot());
  RETURN_IF_ERROR(MeasureCommandLine());
  RETURN_IF_ERROR(MeasureRestore());
  RETURN_IF_ERROR(MeasureSecondSnapshot());
  return daemon_->PeakBytes();
}

}  // namespace

absl::StatusOr<int64_t> MeasurePostgres(const PostgresBenchSettings& settings,
                                        FigureReport* report) {
  return PostgresBench(settings, report).Measure();
}

}  // namespace reinstate::bench

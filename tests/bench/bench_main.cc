// Measures the figures that README.md beside this file lists, each against its baseline in the same
// run.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/base/status_macros.h"
#include "tests/bench/baselines.h"
#include "tests/bench/figure_report.h"
#include "tests/bench/giant_bench.h"
#include "tests/bench/postgres_bench.h"
#include "tests/bench/replay_bench.h"
#include "tests/bench/ticket_site.h"
#include "tests/support/ticket_tracker.h"

namespace reinstate::bench {
namespace {

constexpr double kMiB = 1 << 20;

struct Settings {
  std::string cli;                // the program `reinstate`
  std::string work;               // a folder for data, emptied
  std::string json;               // where to write the figures; empty: nowhere
  std::vector<std::string> only;  // groups of figures; empty: all
  double scale = 1;
  int repeats = 3;

  bool Wants(const std::string& group) const {
    return only.empty() || std::find(only.begin(), only.end(), group) != only.end();
  }
  bool WantsTicketTracker() const {
    return Wants("snapshots") || Wants("restore") || Wants("command_line") || Wants("many_tenants");
  }

  int64_t Scaled(int64_t amount) const {
    return static_cast<int64_t>(static_cast<double>(amount) * scale);
  }
  std::string Folder(const std::string& name) const { return absl::StrCat(work, "/", name); }
};

void Say(const std::string& text) {
  absl::PrintF("      %s\n", text);
  std::fflush(stdout);
}

double RowsPerSecond(int64_t rows, absl::Duration time) {
  return static_cast<double>(rows) / absl::ToDoubleSeconds(time);
}

// The indices of all tenants, the largest first.
std::vector<size_t> BySize(const TicketTracker& tracker) {
  std::vector<size_t> order(tracker.tenants().size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return tracker.tenants()[a].records > tracker.tenants()[b].records;
  });
  return order;
}

// The restored rows a second of some tenants at once against plain puts of the same records.
absl::StatusOr<Figure> RestoreRate(const Settings& settings, std::span<const size_t> tenants,
                                   TicketSite* site) {
  const WriteBatchSettings puts_settings;
  std::vector<double> ratios;
  std::vector<double> restored;
  std::vector<double> put;
  int64_t rows = 0;
  for (int i = 0; i < settings.repeats; ++i) {
    site->daemon()->AwaitQuiet();
    ASSIGN_OR_RETURN(const BaselineRun puts,
                     PutWithWriteBatch(settings.Folder("baseline"),
                                       RecordsOf(site->tracker(), tenants), puts_settings));
    ASSIGN_OR_RETURN(const BenchDaemon::RestoreRun restore, site->DeleteAndRestore(tenants));
    restored.push_back(RowsPerSecond(restore.inserted, restore.time));
    put.push_back(RowsPerSecond(puts.rows, puts.time));
    ratios.push_back(restored.back() / put.back());
    rows = restore.inserted;
  }
  return Figure{.value = Median(ratios),
                .unit = "x",
                .aim = Aim::kAtLeast,
                .bound = 0.5,
                .detail = absl::StrFormat(
                    "%d rows, verified and with undo, %.0f rows/s; puts %.0f rows/s (one thread, "
                    "batches of %d KiB, last one synced, LZ4)",
                    rows, Median(restored), Median(put), puts_settings.batch_bytes >> 10)};
}

absl::Status MeasureRestore(const Settings& settings, TicketSite* site, FigureReport* report) {
  const std::vector<size_t> order = BySize(site->tracker());
  const std::span<const size_t> largest(order.data(), 1);
  ASSIGN_OR_RETURN(Figure one, RestoreRate(settings, largest, site));
  one.name = "restore_rate";
  one.text = "restored rows/s, one tenant : WriteBatch puts";
  report->Add(std::move(one));

  // Those after the largest, so that no single one decides when all are done.
  const size_t count = std::min<size_t>(100, order.size() / 4);
  const std::span<const size_t> many(order.data() + count / 4, count);
  ASSIGN_OR_RETURN(Figure at_once, RestoreRate(settings, many, site));
  at_once.name = "restore_rate_many";
  at_once.text = absl::StrFormat("restored rows/s, %d tenants at once : puts", count);
  report->Add(std::move(at_once));
  return absl::OkStatus();
}

struct FirstSnapshot {
  double seconds = 0;
  int64_t bytes = 0;
};

// The first snapshot, taken several times into an empty history, against zstd and SstFileWriter.
absl::StatusOr<FirstSnapshot> MeasureFirstSnapshot(const Settings& settings, TicketSite* site,
                                                   FigureReport* report) {
  const KeyedRecords records = AllRecords(site->tracker());
  std::vector<double> ratios;
  std::vector<double> seconds;
  std::vector<double> baseline_seconds;
  BenchDaemon::SnapshotRun snapshot;
  for (int i = 0; i < settings.repeats; ++i) {
    site->daemon()->AwaitQuiet();
    ASSIGN_OR_RETURN(const BaselineRun files, WriteSstFiles(settings.Folder("baseline"), records));
    RETURN_IF_ERROR(site->daemon()->RestartWithoutHistory());
    ASSIGN_OR_RETURN(snapshot, site->TakeSnapshot());
    seconds.push_back(absl::ToDoubleSeconds(snapshot.time));
    baseline_seconds.push_back(absl::ToDoubleSeconds(files.time));
    ratios.push_back(seconds.back() / baseline_seconds.back());
  }
  std::filesystem::remove_all(settings.Folder("baseline"));
  const auto rows = static_cast<double>(site->tracker().records());
  report->Add({.name = "first_snapshot_time",
               .text = "first snapshot, time : SstFileWriter alone",
               .value = Median(ratios),
               .unit = "x",
               .bound = 2,
               .detail = absl::StrFormat(
                   "%.0f rows in %.2f s, %.0f rows/s; sorted files in %.2f s, %.0f rows/s (one "
                   "thread, ZSTD 3, blocks of 1 MiB)",
                   rows, Median(seconds), rows / Median(seconds), Median(baseline_seconds),
                   rows / Median(baseline_seconds))});

  ASSIGN_OR_RETURN(const BaselineRun zstd, CompressWithZstd(records));
  report->Add(
      {.name = "first_snapshot_bytes",
       .text = "first snapshot, bytes on disk : zstd -3",
       .value = static_cast<double>(snapshot.disk_bytes) / static_cast<double>(zstd.bytes_out),
       .unit = "x",
       .bound = 1.15,
       .detail = absl::StrFormat(
           "%.1f MiB of history; %.1f MiB by zstd -3 (one frame of keys and payloads, %.1f "
           "MiB as they are)",
           static_cast<double>(snapshot.disk_bytes) / kMiB,
           static_cast<double>(zstd.bytes_out) / kMiB, static_cast<double>(zstd.bytes_in) / kMiB)});
  return FirstSnapshot{.seconds = Median(seconds), .bytes = snapshot.added_bytes};
}

// Further snapshots, each after 1 % of the records changed.
absl::Status MeasureSecondSnapshot(const Settings& settings, const FirstSnapshot& first,
                                   TicketSite* site, FigureReport* report) {
  constexpr int64_t kOneIn = 100;
  std::vector<double> seconds;
  std::vector<double> bytes;
  for (int i = 0; i < settings.repeats; ++i) {
    RETURN_IF_ERROR(site->ChangeRecords(kOneIn, static_cast<uint64_t>(i + 1)));
    ASSIGN_OR_RETURN(const BenchDaemon::SnapshotRun snapshot, site->TakeSnapshot());
    seconds.push_back(absl::ToDoubleSeconds(snapshot.time));
    bytes.push_back(static_cast<double>(snapshot.added_bytes));
  }
  report->Add({.name = "second_snapshot_bytes",
               .text = "snapshot after 1 % changed, bytes : first",
               .value = 100 * Median(bytes) / static_cast<double>(first.bytes),
               .unit = "%",
               .bound = 3,
               .detail = absl::StrFormat("%.2f MiB added; the first %.1f MiB", Median(bytes) / kMiB,
                                         static_cast<double>(first.bytes) / kMiB)});
  report->Add(
      {.name = "second_snapshot_time",
       .text = "snapshot after 1 % changed, time : first",
       .value = Median(seconds) / first.seconds,
       .unit = "x",
       .bound = 1.1,
       .detail = absl::StrFormat("%.2f s; the first %.2f s", Median(seconds), first.seconds)});
  return absl::OkStatus();
}

absl::Status MeasureSnapshots(const Settings& settings, TicketSite* site, FigureReport* report) {
  ASSIGN_OR_RETURN(const FirstSnapshot first, MeasureFirstSnapshot(settings, site, report));
  return MeasureSecondSnapshot(settings, first, site, report);
}

absl::Status MeasureCommandLine(const Settings& settings, TicketSite* site, FigureReport* report) {
  constexpr int kTimesMore = 7;
  const size_t tenant = BySize(site->tracker()).back();
  std::vector<double> milliseconds;
  for (int i = 0; i < kTimesMore * settings.repeats; ++i) {
    ASSIGN_OR_RETURN(const absl::Duration time,
                     site->DeleteAndRestoreByCommandLine(tenant, settings.cli));
    milliseconds.push_back(absl::ToDoubleMilliseconds(time));
  }
  report->Add({.name = "command_line",
               .text = "one small tenant through the command line",
               .value = Median(milliseconds),
               .unit = "ms",
               .bound = 100,
               .detail = absl::StrFormat(
                   "restore create --wait of %d rows, from the start of the program to its exit",
                   site->tracker().tenants()[tenant].records)});
  return absl::OkStatus();
}

// Restores a tenant of one size in the large history and in one with a tenth of the tenants, in
// turn.
absl::Status MeasureManyTenants(const Settings& settings, size_t probe, TicketSite* large,
                                FigureReport* report) {
  constexpr int kTimesMore = 7;
  const int64_t probe_rows = large->tracker().tenants()[probe].records;
  const auto tenants = static_cast<int64_t>(large->tracker().tenants().size());
  std::vector<int64_t> sizes =
      TicketTracker::LongTail(tenants / 10, large->tracker().records() / 10);
  sizes[sizes.size() / 2] = probe_rows;
  const size_t small_probe = sizes.size() / 2;
  const TicketTracker tracker(sizes, 2);
  ASSIGN_OR_RETURN(const std::unique_ptr<TicketSite> small,
                   TicketSite::Load(&tracker, settings.Folder("tenth")));
  RETURN_IF_ERROR(small->TakeSnapshot().status());

  std::vector<double> in_large;
  std::vector<double> in_small;
  for (int i = 0; i < kTimesMore * settings.repeats; ++i) {
    ASSIGN_OR_RETURN(const BenchDaemon::RestoreRun a, large->DeleteAndRestore({&probe, 1}));
    ASSIGN_OR_RETURN(const BenchDaemon::RestoreRun b, small->DeleteAndRestore({&small_probe, 1}));
    in_large.push_back(absl::ToDoubleMilliseconds(a.time));
    in_small.push_back(absl::ToDoubleMilliseconds(b.time));
  }
  report->Add({.name = "many_tenants",
               .text = "one tenant, 10 times as many others : a tenth",
               .value = Median(in_large) / Median(in_small),
               .unit = "x",
               .bound = 1.1,
               .detail = absl::StrFormat("%d rows in %.1f ms among %d tenants, %.1f ms among %d",
                                         probe_rows, Median(in_large), tenants, Median(in_small),
                                         tenants / 10)});
  return absl::OkStatus();
}

// All figures of the ticket tracker; returns the daemon's peak memory.
absl::StatusOr<int64_t> MeasureTicketTracker(const Settings& settings, FigureReport* report) {
  constexpr int64_t kTenants = 2'000;
  constexpr int64_t kProbeRows = 10'000;
  std::vector<int64_t> sizes =
      TicketTracker::LongTail(settings.Scaled(kTenants), settings.Scaled(5'000'000));
  const size_t probe = sizes.size() / 2;
  sizes[probe] = kProbeRows;
  const TicketTracker tracker(sizes);
  Say(absl::StrFormat("loading %d records of %d tenants", tracker.records(), sizes.size()));
  const absl::Time start = absl::Now();
  ASSIGN_OR_RETURN(const std::unique_ptr<TicketSite> site,
                   TicketSite::Load(&tracker, settings.Folder("tickets")));
  Say(absl::StrFormat("loaded in %.1f s", absl::ToDoubleSeconds(absl::Now() - start)));

  if (settings.Wants("snapshots")) {
    RETURN_IF_ERROR(MeasureSnapshots(settings, site.get(), report));
  } else {
    RETURN_IF_ERROR(site->TakeSnapshot().status());
  }
  // Before the restores of many rows, whose compactions would go on in one of the two stores only.
  if (settings.Wants("many_tenants")) {
    RETURN_IF_ERROR(MeasureManyTenants(settings, probe, site.get(), report));
  }
  if (settings.Wants("restore")) {
    RETURN_IF_ERROR(MeasureRestore(settings, site.get(), report));
  }
  if (settings.Wants("command_line")) {
    RETURN_IF_ERROR(MeasureCommandLine(settings, site.get(), report));
  }
  return site->daemon()->PeakBytes();
}

absl::Status Measure(const Settings& settings, FigureReport* report) {
  int64_t peak = 0;
  if (settings.WantsTicketTracker()) {
    ASSIGN_OR_RETURN(peak, MeasureTicketTracker(settings, report));
  }
  if (settings.Wants("giant")) {
    ASSIGN_OR_RETURN(const int64_t giant_peak,
                     MeasureGiant(settings.Folder("giant"), settings.scale, report));
    peak = std::max(peak, giant_peak);
  }
  if (settings.Wants("postgres")) {
    ASSIGN_OR_RETURN(const int64_t postgres_peak, MeasurePostgres({.cli = settings.cli,
                                                                   .work = settings.work,
                                                                   .scale = settings.scale,
                                                                   .repeats = settings.repeats},
                                                                  report));
    peak = std::max(peak, postgres_peak);
  }
  if (settings.Wants("replay")) {
    ASSIGN_OR_RETURN(const int64_t replay_peak,
                     MeasureReplay({.work = settings.work, .scale = settings.scale}, report));
    peak = std::max(peak, replay_peak);
  }
  report->Add({.name = "peak_memory",
               .text = "peak memory of the daemon in all of it",
               .value = static_cast<double>(peak) / kMiB,
               .unit = "MiB",
               .bound = 600,
               .detail = "VmHWM, with loading, snapshots and restores"});
  return absl::OkStatus();
}

int Run(const Settings& settings) {
  std::filesystem::remove_all(settings.work);
  std::filesystem::create_directories(settings.work);
  FigureReport report(settings.scale);
  const absl::Status status = Measure(settings, &report);
  report.PrintSummary();
  if (!settings.json.empty()) {
    std::ofstream(settings.json) << report.ToJson() << "\n";
  }
  if (!status.ok()) {
    absl::FPrintF(stderr, "bench: %s\nThe logs of the daemons are in %s.\n", status.ToString(),
                  settings.work);
    return 1;
  }
  std::filesystem::remove_all(settings.work);
  return 0;
}

int Main(int argc, char** argv) {
  Settings settings;
  CLI::App app("Measures Reinstate against the tools that one would use instead.");
  app.add_option("--cli", settings.cli, "the program `reinstate`")->required();
  app.add_option("--work", settings.work, "folder for data; it is emptied")->required();
  app.add_option("--json", settings.json, "file for the figures as JSON")->take_last();
  app.add_option("--only", settings.only, "only these groups of figures")
      ->check(CLI::IsMember(
          {"snapshots", "restore", "command_line", "many_tenants", "giant", "postgres", "replay"}));
  app.add_option("--scale", settings.scale, "fraction of the full amount of data")
      ->check(CLI::Range(0.005, 1.0));
  app.add_option("--repeats", settings.repeats, "how often to measure; the median counts")
      ->check(CLI::Range(1, 100));
  CLI11_PARSE(app, argc, argv);
  return Run(settings);
}

}  // namespace
}  // namespace reinstate::bench

int main(int argc, char** argv) {
  // We throw nothing; a library does, e.g. where a folder cannot be made.
  try {
    return reinstate::bench::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
    return 1;
  }
}

// Measures the figures that README.md beside this file lists, each against its baseline in the same
// run.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/base/status_macros.h"
#include "tests/bench/baselines.h"
#include "tests/bench/figure_report.h"
#include "tests/bench/ticket_site.h"
#include "tests/support/ticket_tracker.h"

namespace reinstate::bench {
namespace {

constexpr double kMiB = 1 << 20;

struct Settings {
  std::string cli;   // the program `reinstate`
  std::string work;  // a folder for data, emptied
  std::string json;  // where to write the figures; empty: nowhere
  double scale = 1;
  int repeats = 3;

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

size_t LargestTenant(const TicketTracker& tracker) {
  const auto& tenants = tracker.tenants();
  return static_cast<size_t>(
      std::max_element(tenants.begin(), tenants.end(),
                       [](const auto& a, const auto& b) { return a.records < b.records; }) -
      tenants.begin());
}

size_t SmallestTenant(const TicketTracker& tracker) {
  const auto& tenants = tracker.tenants();
  return static_cast<size_t>(
      std::min_element(tenants.begin(), tenants.end(),
                       [](const auto& a, const auto& b) { return a.records < b.records; }) -
      tenants.begin());
}

// The restored rows a second of the largest tenant against plain puts of the same records.
absl::Status MeasureRestore(const Settings& settings, TicketSite* site, FigureReport* report) {
  const size_t tenant = LargestTenant(site->tracker());
  const WriteBatchSettings puts_settings;
  std::vector<double> ratios;
  std::vector<double> restored;
  std::vector<double> put;
  for (int i = 0; i < settings.repeats; ++i) {
    ASSIGN_OR_RETURN(const BaselineRun puts,
                     PutWithWriteBatch(settings.Folder("baseline"),
                                       RecordsOf(site->tracker(), tenant), puts_settings));
    ASSIGN_OR_RETURN(const TicketSite::RestoreRun restore, site->DeleteAndRestore(tenant));
    restored.push_back(RowsPerSecond(restore.rows, restore.time));
    put.push_back(RowsPerSecond(puts.rows, puts.time));
    ratios.push_back(restored.back() / put.back());
  }
  report->Add({.name = "restore_rate",
               .text = "restored rows/s : WriteBatch puts",
               .value = Median(ratios),
               .unit = "x",
               .aim = Aim::kAtLeast,
               .bound = 0.5,
               .detail = absl::StrFormat(
                   "%d rows, verified and with undo, %.0f rows/s; puts %.0f rows/s (one thread, "
                   "batches of %d KiB, last one synced, LZ4)",
                   site->tracker().tenants()[tenant].records, Median(restored), Median(put),
                   puts_settings.batch_bytes >> 10)});
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
  TicketSite::SnapshotRun snapshot;
  for (int i = 0; i < settings.repeats; ++i) {
    ASSIGN_OR_RETURN(const BaselineRun files, WriteSstFiles(settings.Folder("baseline"), records));
    RETURN_IF_ERROR(site->RestartWithoutHistory());
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
    ASSIGN_OR_RETURN(const TicketSite::SnapshotRun snapshot, site->TakeSnapshot());
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

absl::Status MeasureCommandLine(const Settings& settings, TicketSite* site, FigureReport* report) {
  constexpr int kTimesMore = 7;
  const size_t tenant = SmallestTenant(site->tracker());
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
    ASSIGN_OR_RETURN(const TicketSite::RestoreRun a, large->DeleteAndRestore(probe));
    ASSIGN_OR_RETURN(const TicketSite::RestoreRun b, small->DeleteAndRestore(small_probe));
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

// Peak memory of a daemon that does nothing but restore one tenant.
absl::StatusOr<double> PeakOfRestore(TicketSite* site, size_t tenant) {
  RETURN_IF_ERROR(site->Restart());
  RETURN_IF_ERROR(site->DeleteAndRestore(tenant).status());
  ASSIGN_OR_RETURN(const int64_t peak, site->PeakBytesSinceStart());
  return static_cast<double>(peak) / kMiB;
}

absl::StatusOr<int64_t> MeasureGiant(const Settings& settings, FigureReport* report) {
  constexpr int64_t kTimesAsLarge = 50;
  const int64_t rows = settings.Scaled(70'000);  // 16 MiB: twice the budget of a restore
  const std::vector<int64_t> sizes = {rows, rows * kTimesAsLarge};
  const TicketTracker tracker(sizes, 3);
  ASSIGN_OR_RETURN(const std::unique_ptr<TicketSite> site,
                   TicketSite::Load(&tracker, settings.Folder("giant")));
  RETURN_IF_ERROR(site->TakeSnapshot().status());
  ASSIGN_OR_RETURN(const double ordinary, PeakOfRestore(site.get(), 0));
  ASSIGN_OR_RETURN(const double giant, PeakOfRestore(site.get(), 1));
  report->Add({.name = "giant_tenant_memory",
               .text = "peak memory, tenant 50 times as large : ordinary",
               .value = giant / ordinary,
               .unit = "x",
               .bound = 1.1,
               .detail = absl::StrFormat("%.0f MiB for %d rows, %.0f MiB for %d rows", giant,
                                         sizes[1], ordinary, sizes[0])});
  return site->PeakBytes();
}

absl::Status Measure(const Settings& settings, FigureReport* report) {
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

  ASSIGN_OR_RETURN(const FirstSnapshot first, MeasureFirstSnapshot(settings, site.get(), report));
  RETURN_IF_ERROR(MeasureRestore(settings, site.get(), report));
  RETURN_IF_ERROR(MeasureCommandLine(settings, site.get(), report));
  RETURN_IF_ERROR(MeasureManyTenants(settings, probe, site.get(), report));
  RETURN_IF_ERROR(MeasureSecondSnapshot(settings, first, site.get(), report));
  ASSIGN_OR_RETURN(int64_t peak, site->PeakBytes());
  ASSIGN_OR_RETURN(const int64_t giant_peak, MeasureGiant(settings, report));
  peak = std::max(peak, giant_peak);
  report->Add({.name = "peak_memory",
               .text = "peak memory of the daemon in all of it",
               .value = static_cast<double>(peak) / kMiB,
               .unit = "MiB",
               .bound = 600,
               .detail = "VmHWM, with loading, snapshots and restores"});
  return absl::OkStatus();
}

int Main(const Settings& settings) {
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

}  // namespace
}  // namespace reinstate::bench

int main(int argc, char** argv) {
  reinstate::bench::Settings settings;
  CLI::App app("Measures Reinstate against the tools that one would use instead.");
  app.add_option("--cli", settings.cli, "the program `reinstate`")->required();
  app.add_option("--work", settings.work, "folder for data; it is emptied")->required();
  app.add_option("--json", settings.json, "file for the figures as JSON")->take_last();
  app.add_option("--scale", settings.scale, "fraction of the full amount of data")
      ->check(CLI::Range(0.005, 1.0));
  app.add_option("--repeats", settings.repeats, "how often to measure; the median counts")
      ->check(CLI::Range(1, 100));
  CLI11_PARSE(app, argc, argv);
  return reinstate::bench::Main(settings);
}

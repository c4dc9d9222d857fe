#include "tests/bench/postgres_baselines.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "tests/bench/machine.h"

namespace reinstate::bench {
namespace {

constexpr char kPrograms[] = "/usr/lib/postgresql/15/bin/";
constexpr size_t kPieceBytes = 256 << 10;

std::string CopyFrom(const SiteTableInfo& info) {
  return absl::StrCat("COPY ", Absl(info.name), " (", Absl(info.columns), ") FROM STDIN");
}

}  // namespace

absl::StatusOr<ReadyMadeFiles> ReadyMadeFiles::Write(const PostgresSite* site,
                                                     std::vector<size_t> sites,
                                                     const std::string& folder) {
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  ReadyMadeFiles files(site, std::move(sites), folder);
  for (const size_t index : files.sites_) {
    for (const SiteTableInfo& info : kSiteTableInfos) {
      std::ofstream file(files.Path(index, info.table), std::ios::binary);
      site->ForEach(index, info.table, [&](std::string_view line) {
        file << line << '\n';
        ++files.rows_;
      });
      if (!file.flush()) {
        return MakeError(Reason::kNoSpace, absl::StrCat("Cannot write to ", folder, "."));
      }
    }
  }
  return files;
}

std::string ReadyMadeFiles::Path(size_t site, SiteTable table) const {
  return absl::StrCat(folder_, "/", site, ".", Absl(InfoOf(table).name));
}

absl::Status ReadyMadeFiles::CopySite(size_t site, bool silent, PlainDatabase* database) const {
  RETURN_IF_ERROR(
      database->Run(silent ? "BEGIN; SET LOCAL session_replication_role = replica" : "BEGIN"));
  std::string piece(kPieceBytes, '\0');
  for (const SiteTableInfo& info : kSiteTableInfos) {
    std::ifstream file(Path(site, info.table), std::ios::binary);
    RETURN_IF_ERROR(database->CopyIn(CopyFrom(info), [&]() -> std::string_view {
      file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
      return std::string_view(piece).substr(0, static_cast<size_t>(file.gcount()));
    }));
  }
  return database->Run("COMMIT");
}

absl::StatusOr<absl::Duration> ReadyMadeFiles::CopyBack(const std::string& conninfo,
                                                        int connections, bool silent) const {
  std::vector<std::unique_ptr<PlainDatabase>> databases;
  for (int i = 0; i < connections; ++i) {
    ASSIGN_OR_RETURN(databases.emplace_back(), PlainDatabase::Connect(conninfo));
  }
  std::atomic<size_t> next = 0;
  std::vector<absl::Status> statuses(databases.size());
  std::vector<std::thread> threads;
  threads.reserve(databases.size());
  const absl::Time start = absl::Now();
  for (size_t i = 0; i < databases.size(); ++i) {
    threads.emplace_back([&, i] {
      for (size_t site = next++; site < sites_.size() && statuses[i].ok(); site = next++) {
        statuses[i] = CopySite(sites_[site], silent, databases[i].get());
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const absl::Duration time = absl::Now() - start;
  for (const absl::Status& status : statuses) {
    RETURN_IF_ERROR(status);
  }
  return time;
}

absl::StatusOr<DumpRun> Dump(const std::string& conninfo, const std::string& folder) {
  const absl::Time start = absl::Now();
  RETURN_IF_ERROR(RunQuietly(
      {absl::StrCat(kPrograms, "pg_dump"), "-Fd", "-j2", "-Z1", "-f", folder, "-d", conninfo}));
  const absl::Duration time = absl::Now() - start;
  return DumpRun{.time = time, .bytes = FolderBytes(folder)};
}

absl::StatusOr<ScratchRun> RestoreByScratch(const std::string& folder, const std::string& scratch,
                                            const std::string& live, int64_t site) {
  ScratchRun run;
  const absl::Time start = absl::Now();
  RETURN_IF_ERROR(
      RunQuietly({absl::StrCat(kPrograms, "pg_restore"), "-j2", "-d", scratch, folder}));
  const absl::Time restored = absl::Now();
  ASSIGN_OR_RETURN(const std::unique_ptr<PlainDatabase> from, PlainDatabase::Connect(scratch));
  ASSIGN_OR_RETURN(const std::unique_ptr<PlainDatabase> to, PlainDatabase::Connect(live));
  RETURN_IF_ERROR(to->Run("BEGIN"));
  for (const SiteTableInfo& info : kSiteTableInfos) {
    std::string lines;
    RETURN_IF_ERROR(
        from->CopyOut(absl::StrCat("COPY (SELECT ", Absl(info.columns), " FROM (", Absl(info.owned),
                                   ") AS t WHERE owner = ", site, ") TO STDOUT"),
                      [&](std::string_view line) { lines.append(line).push_back('\n'); }));
    bool given = false;
    RETURN_IF_ERROR(to->CopyIn(CopyFrom(info), [&]() -> std::string_view {
      return std::exchange(given, true) ? std::string_view() : lines;
    }));
  }
  RETURN_IF_ERROR(to->Run("COMMIT"));
  run.restore = restored - start;
  run.copy = absl::Now() - restored;
  return run;
}

}  // namespace reinstate::bench

#include "tests/support/expected_site.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

constexpr size_t kMostDifferences = 20;

void Apply(const std::vector<SiteRowChange>& changes, SiteRows* rows) {
  for (const SiteRowChange& change : changes) {
    auto& table = (*rows)[static_cast<size_t>(change.table)];
    if (change.line.has_value()) {
      table[change.key] = *change.line;
    } else {
      table.erase(change.key);
    }
  }
}

void Add(std::string difference, std::vector<std::string>* differences) {
  if (differences->size() < kMostDifferences) {
    differences->push_back(std::move(difference));
  }
}

void CompareTable(const std::string& where, const std::map<std::string, std::string>& expected,
                  const std::map<std::string, std::string>& found,
                  std::vector<std::string>* differences) {
  for (const auto& [key, line] : expected) {
    const auto it = found.find(key);
    if (it == found.end()) {
      Add(absl::StrCat(where, " ", key, " is missing"), differences);
    } else if (it->second != line) {
      Add(absl::StrCat(where, " ", key, " is\n  ", it->second, "\ninstead of\n  ", line),
          differences);
    }
  }
  for (const auto& [key, line] : found) {
    if (!expected.contains(key)) {
      Add(absl::StrCat(where, " ", key, " should not be there: ", line), differences);
    }
  }
}

void CompareSite(int64_t site, const SiteRows& expected, const SiteRows& found,
                 std::vector<std::string>* differences) {
  for (size_t table = 0; table < kSiteTables; ++table) {
    CompareTable(absl::StrCat("site ", site, ", ", Absl(kSiteTableInfos[table].name)),
                 expected[table], found[table], differences);
  }
}

absl::Status ReadTable(PlainDatabase* database, const SiteTableInfo& info,
                       std::map<int64_t, SiteRows>* sites, std::vector<std::string>* oddities) {
  const auto visit = [&](std::string_view line) {
    const size_t tab = line.find('\t');
    int64_t site = 0;
    const std::string row(line.substr(tab + 1));
    if (!absl::SimpleAtoi(Absl(line.substr(0, tab)), &site)) {
      oddities->push_back(absl::StrCat(Absl(info.name), ": a row of no site: ", row));
      return;
    }
    std::string key = KeyOfLine(info.table, row);
    auto& table = (*sites)[site][static_cast<size_t>(info.table)];
    if (!table.emplace(key, row).second) {
      oddities->push_back(absl::StrCat(Absl(info.name), " ", key, " is there twice"));
    }
  };
  return database->CopyOut(absl::StrCat("COPY (SELECT owner, ", Absl(info.columns), " FROM (",
                                        Absl(info.owned), ") AS t) TO STDOUT"),
                           visit);
}

}  // namespace

std::string KeyOfLine(SiteTable table, std::string_view line) {
  size_t end = std::string_view::npos;
  for (int i = 0; i < InfoOf(table).key_columns; ++i) {
    end = line.find('\t', end + 1);
  }
  return std::string(line.substr(0, end));
}

SiteRows MadeUpRows(const PostgresSite& site, size_t index) {
  SiteRows rows;
  for (const SiteTableInfo& info : kSiteTableInfos) {
    site.ForEach(index, info.table, [&](std::string_view line) {
      rows[static_cast<size_t>(info.table)].emplace(KeyOfLine(info.table, line), line);
    });
  }
  return rows;
}

ExpectedSite::ExpectedSite(const PostgresSite& site) {
  for (size_t i = 0; i < site.sites(); ++i) {
    sites_.emplace(site.SiteId(i), MadeUpRows(site, i));
  }
}

void ExpectedSite::Announce(int64_t site, std::vector<SiteRowChange> changes) {
  MutexLock lock(&mu_);
  announced_[site] = std::move(changes);
}

void ExpectedSite::Settle(int64_t site, bool committed) {
  MutexLock lock(&mu_);
  if (committed) {
    Apply(announced_[site], &sites_[site]);
  }
  announced_.erase(site);
}

void ExpectedSite::Set(int64_t site, SiteRows rows) {
  MutexLock lock(&mu_);
  sites_[site] = std::move(rows);
}

void ExpectedSite::Forget(int64_t site) {
  MutexLock lock(&mu_);
  sites_.erase(site);
}

SiteRows ExpectedSite::Get(int64_t site) const {
  MutexLock lock(&mu_);
  const auto it = sites_.find(site);
  return it == sites_.end() ? SiteRows() : it->second;
}

int64_t ExpectedSite::Rows() const {
  MutexLock lock(&mu_);
  int64_t rows = 0;
  for (const auto& [site, tables] : sites_) {
    for (const auto& table : tables) {
      rows += static_cast<int64_t>(table.size());
    }
  }
  return rows;
}

absl::StatusOr<std::vector<std::string>> ExpectedSite::Differences(PlainDatabase* database) const {
  std::vector<std::string> differences;
  ASSIGN_OR_RETURN(auto found, ReadSites(database, &differences));
  MutexLock lock(&mu_);
  for (const auto& [site, rows] : sites_) {
    const SiteRows live = std::exchange(found[site], SiteRows());
    const auto announced = announced_.find(site);
    if (announced != announced_.end()) {
      SiteRows after = rows;
      Apply(announced->second, &after);
      if (live == after) {
        continue;
      }
    }
    CompareSite(site, rows, live, &differences);
  }
  for (const auto& [site, rows] : found) {
    CompareSite(site, SiteRows(), rows, &differences);
  }
  return differences;
}

absl::StatusOr<std::map<int64_t, SiteRows>> ReadSites(PlainDatabase* database,
                                                      std::vector<std::string>* oddities) {
  RETURN_IF_ERROR(
      database->Run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                    "SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off;"
                    "SET LOCAL enable_bitmapscan = off"));
  std::map<int64_t, SiteRows> sites;
  for (const SiteTableInfo& info : kSiteTableInfos) {
    RETURN_IF_ERROR(ReadTable(database, info, &sites, oddities));
  }
  RETURN_IF_ERROR(database->Run("COMMIT"));
  return sites;
}

absl::StatusOr<SiteRows> ReadSite(PlainDatabase* database, int64_t site) {
  RETURN_IF_ERROR(database->Run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  SiteRows rows;
  for (const SiteTableInfo& info : kSiteTableInfos) {
    RETURN_IF_ERROR(database->CopyOut(
        absl::StrCat("COPY (SELECT ", Absl(info.columns), " FROM (", Absl(info.owned),
                     ") AS t WHERE owner = ", site, ") TO STDOUT"),
        [&](std::string_view line) {
          rows[static_cast<size_t>(info.table)].emplace(KeyOfLine(info.table, line), line);
        }));
  }
  RETURN_IF_ERROR(database->Run("COMMIT"));
  return rows;
}

}  // namespace reinstate

#include "tests/bench/replay_model.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"

namespace reinstate::bench {
namespace {

// How many keys have another line on one side than on the other, or are on one side only.
int64_t DifferentRows(const SiteRows& expected, const SiteRows& found) {
  int64_t rows = 0;
  for (size_t table = 0; table < kSiteTables; ++table) {
    for (const auto& [key, line] : expected[table]) {
      const auto it = found[table].find(key);
      rows += it == found[table].end() || it->second != line ? 1 : 0;
    }
    for (const auto& [key, line] : found[table]) {
      rows += expected[table].contains(key) ? 0 : 1;
    }
  }
  return rows;
}

int64_t CountRows(const SiteRows& rows) {
  size_t count = 0;
  for (const auto& table : rows) {
    count += table.size();
  }
  return static_cast<int64_t>(count);
}

}  // namespace

absl::StatusOr<ReplayModel> ReplayModel::Read(PlainDatabase* database) {
  ReplayModel model;
  bool readable = true;
  for (size_t table = 0; table < kSiteTables; ++table) {
    const auto visit = [&](std::string_view line) {
      const std::vector<std::string> fields = absl::StrSplit(Absl(line), '\t');
      int64_t site = 0;
      Sum sum;
      readable = readable && fields.size() == 3 && absl::SimpleAtoi(fields[0], &site) &&
                 absl::SimpleAtoi(fields[1], &sum.rows);
      sum.hashes = fields.back();
      model.sums_[{site, table}] = std::move(sum);
    };
    RETURN_IF_ERROR(database->CopyOut(
        absl::StrCat("COPY (SELECT owner, count(*), sum(hashtextextended(t::text, 0)::numeric) "
                     "FROM (",
                     Absl(kSiteTableInfos[table].owned), ") AS t GROUP BY owner) TO STDOUT"),
        visit));
  }
  if (!readable) {
    return MakeError(Reason::kInternal, "A row belongs to no site.");
  }
  return model;
}

int64_t ReplayModel::Rows() const {
  int64_t rows = 0;
  for (const auto& [table, sum] : sums_) {
    rows += sum.rows;
  }
  return rows;
}

void ReplayModel::CompareSums(const ReplayModel& now, const std::set<int64_t>& written,
                              const std::set<int64_t>& lost, Differences* differences) const {
  std::map<SiteTableId, Sum> tables = now.sums_;
  tables.insert(sums_.begin(), sums_.end());  // also those of which nothing is left
  for (const auto& [table, unused] : tables) {
    const auto was = sums_.find(table);
    const auto is = now.sums_.find(table);
    const Sum before = was == sums_.end() ? Sum() : was->second;
    const Sum after = is == now.sums_.end() ? Sum() : is->second;
    if (written.contains(table.first) || before.hashes == after.hashes) {
      continue;
    }
    const int64_t rows = std::max<int64_t>(1, std::abs(before.rows - after.rows));
    (lost.contains(table.first) ? differences->lost : differences->others) += rows;
  }
}

absl::StatusOr<ReplayModel::Differences> ReplayModel::Compare(const WriteLoad& load,
                                                              const std::set<int64_t>& lost,
                                                              PlainDatabase* database) const {
  Differences differences;
  ASSIGN_OR_RETURN(const ReplayModel now, Read(database));
  differences.rows = now.Rows();
  CompareSums(now, {load.ids().begin(), load.ids().end()}, lost, &differences);
  for (const int64_t id : load.ids()) {
    ASSIGN_OR_RETURN(const SiteRows found, ReadSite(database, id));
    differences.written_rows += CountRows(found);
    differences.others += DifferentRows(load.expected().Get(id), found);
  }
  return differences;
}

}  // namespace reinstate::bench

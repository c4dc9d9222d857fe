#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "tests/support/made_up_text.h"
#include "tests/support/plain_database.h"
#include "tests/support/postgres_site_schema.h"

namespace reinstate {

// Makes up the rows of a multi-tenant ticket tracker in PostgreSQL: jsonb, arrays, numerics,
// timestamps, uuid and bytea, texts that compress about as such data does, and now and then
// characters that have to be escaped. The same sizes and seed give the same rows. They are lines of
// COPY exactly as the server gives them back. Keys of all sites are interleaved, as they are where
// one sequence serves all. Thread-safe; nothing is held in memory but the sizes.
class PostgresSite {
 public:
  // One site of each size, in rows of all its tables; at least 1 each. From 4 rows on it has
  // issues, from 20 on something in every table.
  explicit PostgresSite(std::vector<int64_t> sizes, uint64_t seed = 1);

  size_t sites() const { return sizes_.size(); }
  // The id of the site with this index, which is its tenant id, and its label.
  int64_t SiteId(size_t site) const { return kFirstSite + static_cast<int64_t>(site); }
  std::string SiteName(size_t site) const;

  int64_t Rows(size_t site) const { return sizes_[site]; }
  int64_t Rows(size_t site, SiteTable table) const {
    return counts_[site][static_cast<size_t>(table)];
  }
  int64_t TotalRows() const;

  // Indices of sites, the largest first.
  std::vector<size_t> BySize() const;

  using Visitor = std::function<void(std::string_view line)>;

  // Calls `visit` with each row of a table of a site, without newline, in the order of their
  // numbers: those from `begin` to before `end`.
  void ForEach(size_t site, SiteTable table, int64_t begin, int64_t end,
               const Visitor& visit) const;
  void ForEach(size_t site, SiteTable table, const Visitor& visit) const {
    ForEach(site, table, 0, Rows(site, table), visit);
  }

  // Makes the tables in an empty database and fills them, as if all sites had grown side by side.
  // Ends with VACUUM (ANALYZE).
  absl::Status Load(PlainDatabase* database) const;

 private:
  static constexpr int64_t kFirstSite = 1000;

  int64_t GlobalId(size_t site, int64_t number) const;
  void AppendRow(size_t site, SiteTable table, int64_t number, std::string* line) const;
  void AppendSite(size_t site, std::string* line) const;
  void AppendUser(size_t site, int64_t number, SplitMix* random, std::string* line) const;
  void AppendProject(size_t site, int64_t number, SplitMix* random, std::string* line) const;
  void AppendIssue(size_t site, int64_t number, SplitMix* random, std::string* line) const;
  void AppendComment(size_t site, int64_t number, SplitMix* random, std::string* line) const;
  void AppendAttachment(size_t site, int64_t number, SplitMix* random, std::string* line) const;
  void AppendWorklog(size_t site, int64_t number, SplitMix* random, std::string* line) const;
  void AppendChange(size_t site, int64_t number, SplitMix* random, std::string* line) const;
  void AppendTime(size_t site, SiteTable table, int64_t number, SplitMix* random,
                  std::string* line) const;
  uint64_t IssueOf(size_t site, SplitMix* random) const;
  uint64_t UserOf(size_t site, SplitMix* random) const;
  absl::Status LoadTable(PlainDatabase* database, SiteTable table) const;

  const std::vector<int64_t> sizes_;
  const uint64_t seed_;
  const MadeUpText text_;
  std::vector<std::array<int64_t, kSiteTables>> counts_;
};

// What the maintenance script of 5 April 2022 did: deletes all rows of these sites, children first,
// a transaction a site. `silent`: with triggers off, which needs a superuser and is quicker.
absl::Status DeleteSites(PlainDatabase* database, std::span<const int64_t> ids, bool silent);

}  // namespace reinstate

#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/base/mutex.h"
#include "tests/support/plain_database.h"
#include "tests/support/postgres_site.h"

namespace reinstate {

// The rows of one site: of each table, key -> line of COPY. A key is the first fields of its line.
using SiteRows = std::array<std::map<std::string, std::string>, kSiteTables>;

// The key of a line of a table.
std::string KeyOfLine(SiteTable table, std::string_view line);

// One row that a writer changes; without a line it is deleted.
struct SiteRowChange {
  SiteTable table = SiteTable::kSites;
  std::string key;
  std::optional<std::string> line;
};

// The rows that `site` has made up for the site with this index.
SiteRows MadeUpRows(const PostgresSite& site, size_t index);

// What a ticket tracker in PostgreSQL must hold, kept outside of it by those who write to it, and
// compared with what a plain reader finds there. A change is announced before it is committed, and
// settled when the answer has come; in between, both states are right, wholly. Thread-safe.
class ExpectedSite {
 public:
  // Nothing.
  ExpectedSite() = default;
  // All rows as `site` has them at first.
  explicit ExpectedSite(const PostgresSite& site);

  // A transaction of one site is about to be committed, with all of its changes.
  void Announce(int64_t site, std::vector<SiteRowChange> changes);
  // It was committed, or rolled back.
  void Settle(int64_t site, bool committed);

  // Replaces what a site must hold. Forget: it must hold nothing.
  void Set(int64_t site, SiteRows rows);
  void Forget(int64_t site);
  SiteRows Get(int64_t site) const;

  // How many rows there must be; changes that are not settled do not count.
  int64_t Rows() const;

  // Reads every row of every table by SQL of its own, without the help of indexes, in one view, and
  // says how it differs: one line a row that is missing, unexpected, different, or there twice; at
  // most 20 of them. Empty if all is as it must be.
  absl::StatusOr<std::vector<std::string>> Differences(PlainDatabase* database) const;

 private:
  mutable Mutex mu_;
  std::map<int64_t, SiteRows> sites_ ABSL_GUARDED_BY(mu_);
  std::map<int64_t, std::vector<SiteRowChange>> announced_ ABSL_GUARDED_BY(mu_);
};

// Every row of every site that the database holds, by plain SQL without the help of indexes. Rows
// with the same key, or without a site, are put into `*oddities` in words.
absl::StatusOr<std::map<int64_t, SiteRows>> ReadSites(PlainDatabase* database,
                                                      std::vector<std::string>* oddities);

// The rows of one site, in one view.
absl::StatusOr<SiteRows> ReadSite(PlainDatabase* database, int64_t site);

}  // namespace reinstate

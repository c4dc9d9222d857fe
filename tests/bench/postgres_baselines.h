#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/support/plain_database.h"
#include "tests/support/postgres_site.h"

namespace reinstate::bench {

// What a person with ready-made files of the lost rows would do: COPY, a file a table and site.
class ReadyMadeFiles {
 public:
  // Writes the rows of the sites with these indices into `folder`, which is emptied. Borrows
  // `site`.
  static absl::StatusOr<ReadyMadeFiles> Write(const PostgresSite* site, std::vector<size_t> sites,
                                              const std::string& folder);

  int64_t rows() const { return rows_; }

  // Copies all of them into the database, the largest first, a transaction a site, parents first,
  // by so many connections at once. `silent`: with triggers and foreign keys off.
  absl::StatusOr<absl::Duration> CopyBack(const std::string& conninfo, int connections,
                                          bool silent) const;

 private:
  ReadyMadeFiles(const PostgresSite* site, std::vector<size_t> sites, std::string folder)
      : site_(site), sites_(std::move(sites)), folder_(std::move(folder)) {}

  std::string Path(size_t site, SiteTable table) const;
  absl::Status CopySite(size_t site, bool silent, PlainDatabase* database) const;

  const PostgresSite* site_;
  std::vector<size_t> sites_;
  std::string folder_;
  int64_t rows_ = 0;
};

// Dumps the whole database with pg_dump -Fd -j2 -Z1 into `folder`, which must not be there.
struct DumpRun {
  absl::Duration time;
  int64_t bytes = 0;
};
absl::StatusOr<DumpRun> Dump(const std::string& conninfo, const std::string& folder);

// Restores such a dump with pg_restore -j2 into the empty database `scratch`, then copies one site
// from there into `live`, where it has been deleted: what one does without us.
struct ScratchRun {
  absl::Duration restore;
  absl::Duration copy;
};
absl::StatusOr<ScratchRun> RestoreByScratch(const std::string& folder, const std::string& scratch,
                                            const std::string& live, int64_t site);

}  // namespace reinstate::bench

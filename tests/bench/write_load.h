#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "storage/base/mutex.h"
#include "tests/support/expected_site.h"
#include "tests/support/postgres_site.h"
#include "tests/support/site_writer.h"

namespace reinstate::bench {

// The application of sites that are not lost: connections that each write at a fixed rate, and know
// what they have written. Not thread-safe.
class WriteLoad {
 public:
  static constexpr int kWriters = 64;
  static constexpr absl::Duration kEvery = absl::Milliseconds(250);  // each of them

  // Will write to the sites with these indices, at least one a writer, whose rows are those of
  // `site` now.
  WriteLoad(const PostgresSite& site, const std::vector<size_t>& sites, std::string conninfo);

  // Begins to write, and forgets earlier latencies.
  void Begin();

  // Ends once what is due now has been written too. The first failure of a writer.
  absl::Status End();

  // Milliseconds from when each transaction was due to its commit, of those that were due in this
  // time. It must be over, and everything due in it written: as after End().
  std::vector<double> Latencies(absl::Time from, absl::Time to) const;

  // The ids of the sites, and what they must hold.
  const std::vector<int64_t>& ids() const { return ids_; }
  const ExpectedSite& expected() const { return expected_; }

 private:
  struct Commit {
    absl::Time due;
    absl::Duration latency;
  };

  const std::string conninfo_;
  std::vector<int64_t> ids_;
  ExpectedSite expected_;
  uint64_t seed_ = 1;
  mutable Mutex mu_;
  std::vector<Commit> commits_ ABSL_GUARDED_BY(mu_);
  std::vector<std::unique_ptr<SiteWriter>> writers_;  // ended before what they tell
};

}  // namespace reinstate::bench

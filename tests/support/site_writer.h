#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/support/expected_site.h"
#include "tests/support/made_up_text.h"
#include "tests/support/plain_database.h"

namespace reinstate {

// When a writer's transactions are due. One that is late does not put off those after it, as people
// who use an application do not wait for each other.
struct WriterPace {
  absl::Time first = absl::InfinitePast();
  absl::Duration every = absl::ZeroDuration();  // zero: each as soon as the one before has ended
  // Told of each that was committed, from when it was due, by the writer's thread; may be null.
  std::function<void(absl::Time due, absl::Duration latency)> on_commit;
};

// The application of some sites, which writes to them all the while: opens, edits and closes
// issues, comments, logs work, attaches files, deletes. Tells an ExpectedSite of every change. No
// other writer may have the same sites. The first failure of a statement ends it, but for lost
// races (serialisation failures, deadlocks), which it tries again.
class SiteWriter {
 public:
  // Begins to write, as the user of `conninfo`, to the sites with these ids, each of which has
  // issues. Borrows `expected`.
  SiteWriter(std::string conninfo, std::vector<int64_t> sites, uint64_t seed,
             ExpectedSite* expected, WriterPace pace = {});
  ~SiteWriter();

  // Ends it. The failure that ended it before, if any.
  absl::Status Stop();

  // How many transactions it has committed.
  int64_t commits() const { return commits_; }

 private:
  absl::Status Run();
  absl::Status WriteUntilCommitted(PlainDatabase* database);
  absl::Status WriteOnce(PlainDatabase* database, int64_t site);
  absl::Status Change(PlainDatabase* database, int64_t site, std::vector<SiteRowChange>* changes);
  absl::Status OpenIssue(PlainDatabase* database, int64_t site,
                         std::vector<SiteRowChange>* changes);
  absl::Status EditIssue(PlainDatabase* database, int64_t site,
                         std::vector<SiteRowChange>* changes);
  absl::Status LogWork(PlainDatabase* database, int64_t site, std::vector<SiteRowChange>* changes);
  absl::Status DeleteComment(PlainDatabase* database, int64_t site,
                             std::vector<SiteRowChange>* changes);
  std::string Text(int words);

  const std::string conninfo_;
  const std::vector<int64_t> sites_;
  ExpectedSite* const expected_;
  const WriterPace pace_;
  SplitMix random_;
  const MadeUpText text_;
  std::atomic<bool> stop_ = false;
  std::atomic<int64_t> commits_ = 0;
  absl::Status status_;  // once the thread has ended
  std::thread thread_;
};

}  // namespace reinstate

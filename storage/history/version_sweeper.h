#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "storage/history/history_db.h"
#include "storage/history/run_watch.h"
#include "storage/history/sst_sink.h"

namespace reinstate {

// One version of a group: of a record or a manifest.
struct GroupVersion {
  uint64_t version = 0;
  bool tombstone = false;

  friend bool operator==(const GroupVersion&, const GroupVersion&) = default;
};

// Which versions of one group, newest first, no snapshot in `kept` needs. A version is needed if a
// kept snapshot sees it, that is, if there is one from it up to the next newer version; and a
// tombstone only while something is left below it.
std::vector<GroupVersion> UnneededVersions(const std::vector<GroupVersion>& group,
                                           const std::set<uint64_t>& kept);

// Removes from one lineage what none of its kept snapshots sees, in one atomic step: it reads
// everything, writes files of point deletions, and ingests them together. Not thread-safe; no
// snapshot may be taken meanwhile. Readers are not disturbed.
class VersionSweeper {
 public:
  // `kept` must hold the newest version of the lineage. All are borrowed.
  VersionSweeper(HistoryDb* db, uint32_t lineage, std::set<uint64_t> kept, RunWatch* watch)
      : db_(db), lineage_(lineage), kept_(std::move(kept)), watch_(watch) {}

  // Also removes the roots of `expired`. After an error nothing has changed. The caller clears the
  // staging folder afterwards.
  absl::Status Sweep(const std::vector<uint64_t>& expired);

  // Gives back the space of what was removed. May be repeated, or left out. CANCELLED.
  absl::Status Compact();

 private:
  absl::Status SweepFamily(Family family, SstSink* deletions);
  absl::Status SweepGroup(std::string_view group, std::vector<GroupVersion>* versions,
                          SstSink* deletions);

  HistoryDb* const db_;
  const uint32_t lineage_;
  const std::set<uint64_t> kept_;
  RunWatch* const watch_;
};

}  // namespace reinstate

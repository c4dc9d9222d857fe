#include <atomic>
#include <map>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/parallel.h"
#include "tests/unit/storage/history/history_fixture.h"

namespace reinstate {
namespace {

TenantModel Edition(uint64_t edition) {
  TenantModel model;
  for (int tenant = 0; tenant < 20; ++tenant) {
    for (int row = 0; row < 20; ++row) {
      model.tenants[absl::StrCat("tenant", tenant)][0][absl::StrCat(row)] =
          absl::StrCat("edition ", row % 3 == 0 ? edition : 0);
    }
  }
  return model;
}

// Reads visible snapshots until told to stop, and says what was wrong.
absl::Status ReadAllTheWhile(HistoryFixture* fixture, const std::atomic<bool>* stop) {
  while (!*stop) {
    const absl::StatusOr<SnapshotInfo> newest =
        fixture->history().SnapshotAt(fixture->lineage(), absl::InfiniteFuture());
    if (!newest.ok()) {
      continue;  // there is none yet
    }
    // Older ones may be hidden or gone by now, which must be said, and nothing else may happen.
    for (uint64_t version = newest->id.version; version > 0; --version) {
      const absl::StatusOr<TenantModel> read = ReadSnapshot(
          fixture->history(), {.lineage = fixture->lineage(), .version = version}, fixture->map());
      const std::string outcome = Outcome(read);
      if (outcome == "SNAPSHOT_HIDDEN" || outcome == "SNAPSHOT_NOT_FOUND") {
        continue;
      }
      if (!read.ok() || *read != Edition(version)) {
        return read.ok() ? absl::InternalError("wrong rows") : read.status();
      }
    }
  }
  return absl::OkStatus();
}

TEST(HistoryThreads, ReadersAreNotDisturbedBySnapshotsAndRetention) {
  HistoryFixture fixture(1);
  std::atomic<bool> stop = false;
  const auto write = [&]() -> absl::Status {
    for (uint64_t edition = 1; edition <= 8; ++edition) {
      const SnapshotInfo info = fixture.Take(Edition(edition), {.ordered = edition % 2 == 0});
      if (info.id.version != edition) {
        break;
      }
      const absl::Status retained =
          fixture.history()
              .ApplyRetention(fixture.lineage(), {.keep_last = 2, .grace = absl::ZeroDuration()},
                              {})
              .status();
      if (!retained.ok()) {
        stop = true;
        return retained;
      }
    }
    stop = true;
    return absl::OkStatus();
  };
  const auto read = [&] { return ReadAllTheWhile(&fixture, &stop); };
  const absl::Status status = RunInParallel(3, {write, read, read});
  EXPECT_TRUE(status.ok()) << status;
}

TEST(HistoryThreads, SnapshotsOfSeveralLineagesWaitForEachOther) {
  HistoryFixture fixture(1);
  std::vector<std::function<absl::Status()>> tasks;
  for (int lineage = 0; lineage < 3; ++lineage) {
    tasks.emplace_back([&fixture, lineage]() -> absl::Status {
      SnapshotRequest request = fixture.Request();
      request.lineage = *fixture.history().EnsureLineage(absl::StrCat("lineage", lineage));
      for (uint64_t edition = 1; edition <= 3; ++edition) {
        ModelSource source(Edition(edition), {});
        if (const auto taken = fixture.history().TakeSnapshot(request, &source); !taken.ok()) {
          return taken.status();
        }
      }
      return absl::OkStatus();
    });
  }
  const absl::Status status = RunInParallel(3, tasks);
  ASSERT_TRUE(status.ok()) << status;
  for (int lineage = 0; lineage < 3; ++lineage) {
    const uint32_t number = *fixture.history().EnsureLineage(absl::StrCat("lineage", lineage));
    for (uint64_t edition = 1; edition <= 3; ++edition) {
      fixture.ExpectHolds({.lineage = number, .version = edition}, Edition(edition));
    }
  }
}

TEST(RunInParallel, ReturnsTheFirstErrorAndBeginsNothingAfterIt) {
  std::atomic<int> begun = 0;
  std::vector<std::function<absl::Status()>> tasks(
      50, [&] { return ++begun == 1 ? absl::AbortedError("first") : absl::OkStatus(); });
  EXPECT_EQ(RunInParallel(1, tasks), absl::AbortedError("first"));
  EXPECT_EQ(begun, 1);
  begun = 1;
  EXPECT_TRUE(RunInParallel(4, tasks).ok());
  EXPECT_EQ(begun, 51);
  EXPECT_TRUE(RunInParallel(4, {}).ok());
}

}  // namespace
}  // namespace reinstate

#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "storage/base/error.h"
#include "storage/base/fault_points.h"
#include "storage/history/history.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tenant_model.h"
#include "tests/support/unreliable_file_system.h"

namespace reinstate {

// What a status says, for EXPECT_EQ: its reason, or "OK".
inline std::string Outcome(const absl::Status& status) {
  return status.ok() ? "OK" : ReasonOf(status);
}

template <typename T>
std::string Outcome(const absl::StatusOr<T>& value) {
  return Outcome(value.status());
}

// A history in a temporary folder, with one lineage. It syncs nothing unless told to.
class HistoryFixture {
 public:
  explicit HistoryFixture(int tables = 2) : map_(OwnedTables(tables)) {
    options_.path = folder_.path() + "/history";
    options_.clock = &clock_;
    options_.faults = &faults_;
    options_.env = env_.get();
    files_.skip_syncs = true;
    Reopen();
  }

  HistoryOptions& options() { return options_; }
  ManualClock& clock() { return clock_; }
  FaultPoints& faults() { return faults_; }
  FileSystemFaults& files() { return files_; }
  TenantMap& map() { return map_; }
  History& history() { return *history_; }
  std::string path() const { return options_.path; }
  std::string scratch() const { return folder_.path(); }

  void Close() { history_.reset(); }

  absl::Status TryReopen() {
    Close();
    absl::StatusOr<std::unique_ptr<History>> opened = History::Open(options_);
    if (!opened.ok()) {
      return opened.status();
    }
    history_ = *std::move(opened);
    const absl::StatusOr<uint32_t> lineage = history_->EnsureLineage("store");
    lineage_ = lineage.value_or(0);
    return lineage.status();
  }

  void Reopen() {
    const absl::Status status = TryReopen();
    ASSERT_TRUE(status.ok()) << status;
  }

  SnapshotRequest Request() {
    SnapshotRequest request;
    request.lineage = lineage_;
    request.instant = clock_.Now();
    request.position = "position";
    request.store_identity = "identity";
    request.map = map_;
    request.job = "job-1";
    return request;
  }

  absl::StatusOr<SnapshotInfo> TryTake(const TenantModel& model,
                                       const ModelSource::Options& options = {}) {
    ModelSource source(model, options);
    return history_->TakeSnapshot(Request(), &source);
  }

  // Takes a snapshot an hour after the last one.
  SnapshotInfo Take(const TenantModel& model, const ModelSource::Options& options = {}) {
    clock_.Advance(absl::Hours(1));
    absl::StatusOr<SnapshotInfo> taken = TryTake(model, options);
    EXPECT_TRUE(taken.ok()) << taken.status();
    return taken.value_or(SnapshotInfo());
  }

  // Whether `id` holds exactly `model`, by every way of reading it.
  void ExpectHolds(const SnapshotId& id, TenantModel model) {
    model.Prune();
    const absl::StatusOr<TenantModel> read = ReadSnapshot(*history_, id, map_);
    ASSERT_TRUE(read.ok()) << id.ToString() << ": " << read.status();
    EXPECT_TRUE(*read == model) << id.ToString() << " does not hold what was taken";
    const absl::Status verified = history_->VerifySnapshot(id, {});
    EXPECT_TRUE(verified.ok()) << verified;
  }

  uint32_t lineage() const { return lineage_; }

 private:
  TempDir folder_;
  ManualClock clock_;
  FaultPoints faults_;
  FileSystemFaults files_;
  const std::unique_ptr<rocksdb::Env> env_ = MakeUnreliableEnv(&files_);
  TenantMap map_;
  HistoryOptions options_;
  std::unique_ptr<History> history_;
  uint32_t lineage_ = 0;
};

}  // namespace reinstate

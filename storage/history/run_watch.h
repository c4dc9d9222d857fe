#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "storage/base/mutex.h"
#include "storage/history/snapshot_info.h"

namespace reinstate {

// What the threads of one long piece of work share: its progress, and whether to go on.
// Thread-safe.
class RunWatch {
 public:
  // `total_rows` is an estimate, 0 if unknown.
  RunWatch(WorkCallbacks work, int64_t total_rows)
      : work_(std::move(work)), total_rows_(total_rows) {}

  // Begins to count from nothing. `step` must live for ever. Not while there is a tally.
  void BeginStep(const char* step);

  // Counts the rows of one thread, and tells the watch of them now and then: what all threads
  // change for each row would hold up each of them. Not thread-safe; outlived by the watch.
  class Tally {
   public:
    explicit Tally(RunWatch* watch) : watch_(watch) {}
    ~Tally() { Tell(); }
    Tally(const Tally&) = delete;
    Tally& operator=(const Tally&) = delete;

    // To be called for each row. Now and then, and for the first row, the watch reports; then it
    // says CANCELLED if the work was cancelled, or another thread of it has failed.
    absl::Status CountRow(int64_t bytes);

   private:
    void Tell();

    RunWatch* const watch_;
    uint32_t calls_ = 0;
    int64_t rows_ = 0;  // those that the watch does not know of
    int64_t bytes_ = 0;
  };

  // Makes the other threads stop soon with the same error, unless `status` is OK. Returns the first
  // error.
  absl::Status StopIfFailed(const absl::Status& status);

  absl::Status CheckCancelled() const;

 private:
  void Report() const;

  const WorkCallbacks work_;
  const int64_t total_rows_;
  std::atomic<const char*> step_ = "";
  std::atomic<bool> failed_ = false;
  mutable Mutex mu_;
  absl::Status first_error_ ABSL_GUARDED_BY(mu_);
  std::atomic<int64_t> rows_ = 0;
  std::atomic<int64_t> bytes_ = 0;
};

}  // namespace reinstate

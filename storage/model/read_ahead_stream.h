#pragma once

#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/base/mutex.h"
#include "storage/model/streams.h"

namespace reinstate {

// Reads a RecordStream on a thread of its own, some records ahead of who pulls from it, so that
// reading and what is done with the records take place at once. For long streams: the thread costs
// about as much as some hundred records. Not thread-safe, as every stream.
class ReadAheadStream final : public RecordStream {
 public:
  // Holds at most about 2 MiB of records, or eight if they are larger.
  explicit ReadAheadStream(std::unique_ptr<RecordStream> stream);

  // Waits for the record that is being read.
  ~ReadAheadStream() override;
  ReadAheadStream(const ReadAheadStream&) = delete;
  ReadAheadStream& operator=(const ReadAheadStream&) = delete;

  absl::StatusOr<bool> Next(Record* record) override;

 private:
  // Some records in a row; the memory of all `records` is reused.
  struct Batch {
    std::vector<Record> records;
    size_t count = 0;
  };

  void Run();
  bool Fill(Batch* batch);
  bool NextBatch();

  const std::unique_ptr<RecordStream> stream_;  // the thread's
  absl::StatusOr<bool> end_ = false;            // the thread's until `ended_`
  Batch present_;                               // the caller's
  size_t position_ = 0;

  Mutex mu_;
  CondVar changed_;
  std::deque<Batch> full_ ABSL_GUARDED_BY(mu_);
  std::deque<Batch> empty_ ABSL_GUARDED_BY(mu_);
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;  // after all that it uses
};

}  // namespace reinstate

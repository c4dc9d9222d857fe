#include "storage/model/read_ahead_stream.h"

#include <utility>

namespace reinstate {
namespace {

constexpr int kBatches = 7;
constexpr size_t kBatchRecords = 1000;
constexpr size_t kBatchBytes = 256 << 10;

}  // namespace

ReadAheadStream::ReadAheadStream(std::unique_ptr<RecordStream> stream)
    : stream_(std::move(stream)), empty_(kBatches), thread_([this] { Run(); }) {}

ReadAheadStream::~ReadAheadStream() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

// False at the end of the stream, with what was read until then in the batch.
bool ReadAheadStream::Fill(Batch* batch) {
  size_t bytes = 0;
  for (batch->count = 0; batch->count < kBatchRecords && bytes < kBatchBytes; ++batch->count) {
    if (batch->count == batch->records.size()) {
      batch->records.emplace_back();
    }
    Record& record = batch->records[batch->count];
    absl::StatusOr<bool> more = stream_->Next(&record);
    if (!more.ok() || !*more) {
      end_ = std::move(more);
      return false;
    }
    bytes += record.key.bytes().size() + record.payload.size();
  }
  return true;
}

void ReadAheadStream::Run() {
  bool more = true;
  while (more) {
    Batch batch;
    {
      MutexLock lock(&mu_);
      while (empty_.empty() && !stopping_) {
        changed_.Wait(&mu_);
      }
      if (stopping_) {
        return;
      }
      batch = std::move(empty_.front());
      empty_.pop_front();
    }
    more = Fill(&batch);
    MutexLock lock(&mu_);
    full_.push_back(std::move(batch));
    ended_ = !more;
    changed_.SignalAll();
  }
}

bool ReadAheadStream::NextBatch() {
  MutexLock lock(&mu_);
  if (present_.count > 0) {
    empty_.push_back(std::exchange(present_, Batch()));
  }
  position_ = 0;
  changed_.SignalAll();
  while (full_.empty() && !ended_) {
    changed_.Wait(&mu_);
  }
  if (full_.empty()) {
    return false;
  }
  present_ = std::move(full_.front());
  full_.pop_front();
  return true;
}

absl::StatusOr<bool> ReadAheadStream::Next(Record* record) {
  while (position_ == present_.count) {
    if (!NextBatch()) {
      return end_;
    }
  }
  std::swap(*record, present_.records[position_++]);
  return true;
}

}  // namespace reinstate

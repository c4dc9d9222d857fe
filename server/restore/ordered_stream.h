#pragma once

#include <string>

#include "absl/status/status.h"
#include "storage/model/streams.h"

namespace reinstate {

// The front of a RecordStream, which it checks to ascend strictly: a merge of streams that do not
// would silently lose rows. Borrows the stream, which may be null: an empty one. Not thread-safe.
class OrderedStream {
 public:
  explicit OrderedStream(RecordStream* stream) : stream_(stream), has_(stream != nullptr) {}

  // Moves to the next record. CORRUPT if its key is not after the one before; errors of the stream.
  absl::Status Advance();

  // Whether there is a present record. False before the first Advance of an empty stream and after
  // the end.
  bool has() const { return has_; }
  Record& record() { return record_; }

 private:
  RecordStream* const stream_;
  bool has_;
  bool first_ = true;
  Record record_;
  RowKey last_;
};

}  // namespace reinstate

#pragma once

#include <cstddef>
#include <vector>

#include "reinstate/v1/dump.pb.h"

namespace reinstate {

// Rows of dumps that are too long for one message (DumpRow.more): both ends of the wire need them.

// About how much of a row goes into one message.
inline constexpr size_t kMaxDumpPartBytes = 1 << 20;
// About how many bytes of rows are collected into one message.
inline constexpr size_t kDumpMessageBytes = 256 << 10;

// Bytes of keys and values.
size_t DumpRowBytes(const v1::DumpRow& row);

// The parts of `row`, each with at most about `max_bytes` of values; one if it is short.
std::vector<v1::DumpRow> SplitDumpRow(v1::DumpRow row, size_t max_bytes = kMaxDumpPartBytes);

// Puts parts together again. Not thread-safe.
class DumpRowJoiner {
 public:
  // Takes the next row, or part of one. True if `row()` is complete now. False if parts are
  // missing, or if what was given cannot follow the part before: then failed().
  bool Add(v1::DumpRow part);

  v1::DumpRow& row() { return row_; }
  // Whether a row has been begun that is not complete.
  bool open() const { return open_; }
  bool failed() const { return failed_; }

 private:
  v1::DumpRow row_;
  bool open_ = false;
  bool failed_ = false;
};

}  // namespace reinstate

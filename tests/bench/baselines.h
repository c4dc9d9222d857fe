#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace reinstate::bench {

// Calls `visit` for every record, ascending by key: whatever orders the records, as one string.
using KeyedVisitor = std::function<void(std::string_view key, std::string_view payload)>;
using KeyedRecords = std::function<void(const KeyedVisitor& visit)>;

// What a baseline took. The time that it takes to make the records up is not in it.
struct BaselineRun {
  absl::Duration time;
  int64_t rows = 0;
  int64_t bytes_in = 0;   // keys and payloads
  int64_t bytes_out = 0;  // what came out
};

// Puts all records into a new plain RocksDB database in `folder`, one thread: WriteBatches of
// `batch_bytes`, the last of which is synced. Settings as those of the embedded store: LZ4, a write
// buffer of `write_buffer_bytes`, default options otherwise.
struct WriteBatchSettings {
  int64_t batch_bytes = 1 << 20;
  int64_t write_buffer_bytes = 32 << 20;
};
absl::StatusOr<BaselineRun> PutWithWriteBatch(const std::string& folder,
                                              const KeyedRecords& records,
                                              const WriteBatchSettings& settings);

// Writes all records into SST files of 64 MiB of input in `folder`, one thread: SstFileWriter, ZSTD
// level 3, blocks of 1 MiB, as the history writes its own.
absl::StatusOr<BaselineRun> WriteSstFiles(const std::string& folder, const KeyedRecords& records);

// Compresses all records, keys and payloads one after the other, as one frame with zstd -3.
absl::StatusOr<BaselineRun> CompressWithZstd(const KeyedRecords& records);

}  // namespace reinstate::bench

#pragma once

#include <rocksdb/env.h>
#include <rocksdb/file_checksum.h>

#include <memory>
#include <string>

#include "absl/status/status.h"

namespace reinstate {

// How the checksum of a whole table file is computed while it is written: XXH3-64. RocksDB's own
// CRC-32C takes a second for a gigabyte where, as in Debian, it is built without the processor's
// instruction. Tables of either are in histories; the checksum is kept beside the name of its
// function.
std::shared_ptr<rocksdb::FileChecksumGenFactory> TableChecksumFactory();

// Reads the file from the disk, past the page cache where the file system can, and compares it with
// the XXH3-64 from when it was written. CORRUPT if it is another, or of another function;
// UNAVAILABLE. Thread-safe.
absl::Status CheckTableFile(rocksdb::Env* env, const std::string& path, const std::string& checksum,
                            const std::string& function);

}  // namespace reinstate

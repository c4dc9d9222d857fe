#pragma once

#include <rocksdb/sst_file_writer.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "storage/base/serial_thread.h"
#include "storage/live/rocksdb/embedded_db.h"

namespace reinstate {

// Writes ascending records into files that the database then takes over as they are: neither its
// log nor its memtables see them, and there is little left to compact. Not thread-safe.
//
// Where there is much to write, a thread of its own makes the files of what it is given.
//
// What is written is not in the database before Ingest, and all of it is afterwards, even after a
// crash of the machine. Files that were not taken over are removed with this object, or when the
// store is opened the next time.
class GenerationFiles {
 public:
  // `db` outlives it.
  explicit GenerationFiles(EmbeddedDb* db) : db_(db) {}
  ~GenerationFiles();
  GenerationFiles(const GenerationFiles&) = delete;
  GenerationFiles& operator=(const GenerationFiles&) = delete;

  // `key` is after all earlier ones, and in no view of the database. NO_SPACE, UNAVAILABLE, of
  // this record or an earlier one; nothing may be added then.
  absl::Status Put(std::string_view key, std::string_view payload);

  // Makes what was written part of the database, at once. To be called once, the last call. As Put.
  absl::Status Ingest();

 private:
  // Records on their way to the files.
  struct Chunk {
    struct Lengths {
      uint32_t key = 0;
      uint32_t payload = 0;
    };
    std::string bytes;  // keys and payloads in turn
    std::vector<Lengths> records;
  };

  absl::Status HandOver();
  absl::Status Write(const Chunk& chunk);
  absl::Status WriteRecord(std::string_view key, std::string_view payload);
  absl::Status OpenFile();
  absl::Status CloseFile();

  EmbeddedDb* const db_;
  Chunk chunk_;
  size_t chunks_ = 0;  // handed over

  // The thread's, if there is one:
  std::unique_ptr<rocksdb::SstFileWriter> writer_;  // null: no file is open
  size_t file_bytes_ = 0;                           // put into the open one
  std::vector<BuiltFile> files_;

  std::unique_ptr<SerialThread> thread_;
};

}  // namespace reinstate

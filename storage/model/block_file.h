#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace reinstate {

// A file of blocks, each checked when it is read: its length (8 bytes), the hash of its contents
// (16 bytes), its contents. Does not own what it is given.
struct BlockFile {
  int fd;
  std::string_view what;    // the file in errors, as "The file of the dump"
  std::string_view remedy;  // what to do if it is damaged, as "import it again"

  // Of a call that failed just now, by errno: NO_SPACE or INTERNAL. `doing` as in "write".
  absl::Status Failed(std::string_view doing) const;
  // CORRUPT.
  absl::Status Damaged() const;

  // Writes all of it at the present position of the file.
  absl::Status Write(std::string_view bytes) const;
  // CORRUPT if the file ends before.
  absl::Status Read(int64_t offset, size_t size, std::string* bytes) const;

  // Writes a block, and adds the bytes that it takes to `*file_bytes`.
  absl::Status WriteBlock(std::string_view contents, int64_t* file_bytes) const;
  // Reads the block at `*offset`, which becomes where the next one begins; no block goes beyond
  // `end`. CORRUPT if it is not as it was written.
  absl::Status ReadBlock(int64_t* offset, int64_t end, std::string* contents) const;
};

}  // namespace reinstate

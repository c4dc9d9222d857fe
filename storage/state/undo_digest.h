#pragma once

#include <string>
#include <string_view>

#include "storage/model/digest.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// What Intent.undo_digest is: SHA-256 over the chunks of an undo in their order, each framed by its
// length. Who writes an undo and who reads it back compute it alike.
class UndoDigest {
 public:
  void Add(const state::UndoChunk& chunk) { Add(chunk.SerializeAsString()); }
  void Add(std::string_view serialized_chunk) { digest_.Add(serialized_chunk); }

  // 32 bytes. Once.
  std::string Finish() { return digest_.Finish(); }

 private:
  Digest digest_;
};

}  // namespace reinstate

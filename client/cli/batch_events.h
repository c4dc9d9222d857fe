#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cli/session.h"
#include "reinstate/v1/batch_service.pb.h"

namespace reinstate {

// Writes what happens to a batch to stdout for machines, a line of JSON each: its states as they
// come, of which the latest win, and each customer once when it has ended, which none can miss. A
// state is a Batch and has an `id`; a customer is a BatchLine and has a `line`. Not thread-safe.
class BatchEvents {
 public:
  // Borrows the session.
  explicit BatchEvents(Session* session) : session_(session) {}

  // Writes the customers that have ended since the last call, then the state. Asks the daemon for
  // lines only if their counts have changed, and seldom where that takes long; always if the batch
  // is final. Errors of the call and of writing.
  absl::Status Write(const v1::Batch& batch);

 private:
  absl::Status WriteEnded(const std::string& batch);

  Session* const session_;
  std::string counts_;  // of the lines when they were asked for last
  absl::Time ask_again_ = absl::InfinitePast();
  std::map<int64_t, std::string> written_;  // how a line had ended, by its number
};

}  // namespace reinstate

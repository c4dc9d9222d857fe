#include "server/restore/ordered_stream.h"

#include <utility>

#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {

absl::Status OrderedStream::Advance() {
  if (!has_) {
    return absl::OkStatus();
  }
  if (!first_) {
    std::swap(last_, record_.key);
  }
  ASSIGN_OR_RETURN(has_, stream_->Next(&record_));
  if (has_ && !first_ && record_.key <= last_) {
    return MakeError(Reason::kCorrupt, "rows of the tenant do not come in the order of their keys");
  }
  first_ = false;
  return absl::OkStatus();
}

}  // namespace reinstate

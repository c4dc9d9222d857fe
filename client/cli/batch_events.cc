#include "client/cli/batch_events.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/api/outcome.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// So much of the time may go by without asking for lines, as a multiple of what asking takes.
constexpr int kPausePerCall = 10;

constexpr v1::BatchLineState kEnds[] = {
    v1::BATCH_LINE_STATE_SUCCEEDED, v1::BATCH_LINE_STATE_FAILED, v1::BATCH_LINE_STATE_IN_DOUBT,
    v1::BATCH_LINE_STATE_CANCELLED, v1::BATCH_LINE_STATE_UNDONE, v1::BATCH_LINE_STATE_NOT_RESTORED};

// A retry may end as the try before, but later.
std::string EndOf(const v1::BatchLine& line) {
  return absl::StrCat(line.state(), " ", line.end_time().seconds(), " ", line.end_time().nanos());
}

}  // namespace

absl::Status BatchEvents::WriteEnded(const std::string& batch) {
  v1::ListBatchLinesRequest request;
  request.set_batch(batch);
  for (const v1::BatchLineState end : kEnds) {
    request.add_states(end);
  }
  const absl::Time began = absl::Now();
  ASSIGN_OR_RETURN(ReinstateClient * client, session_->Client());
  ASSIGN_OR_RETURN(const std::vector<v1::BatchLine> lines, client->ListBatchLines(request));
  ask_again_ = absl::Now() + kPausePerCall * (absl::Now() - began);
  for (const v1::BatchLine& line : lines) {
    std::string end = EndOf(line);
    if (std::string& written = written_[line.line()]; written != end) {
      RETURN_IF_ERROR(session_->output().JsonLine(line));
      written = std::move(end);
    }
  }
  return absl::OkStatus();
}

absl::Status BatchEvents::Write(const v1::Batch& batch) {
  std::string counts = batch.lines().SerializeAsString();
  if (IsFinal(batch) || (counts != counts_ && absl::Now() >= ask_again_)) {
    RETURN_IF_ERROR(WriteEnded(batch.id()));
    counts_ = std::move(counts);
  }
  return session_->output().JsonLine(batch);
}

}  // namespace reinstate

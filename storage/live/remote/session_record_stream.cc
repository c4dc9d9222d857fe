#include "storage/live/remote/session_record_stream.h"

#include <utility>

#include "storage/base/status_macros.h"
#include "storage/live/remote/wire_status.h"

namespace reinstate {

using live_wire::ProtocolBroken;
using v1::SessionRequest;
using v1::SessionResponse;

SessionRecordStream::SessionRecordStream(SessionCall* call, uint32_t reading,
                                         size_t max_payload_bytes, v1::SessionRows first)
    : call_(call), reading_(reading), payload_(max_payload_bytes), rows_(std::move(first)) {
  status_ = AskForMore();
}

SessionRecordStream::~SessionRecordStream() {
  if (more_ != nullptr) {
    SessionRequest request;
    request.mutable_end_read()->set_reading(reading_);
    call_->Send(std::move(request), SessionResponse::kDone);
  }
}

absl::StatusOr<bool> SessionRecordStream::Next(Record* record) {
  RETURN_IF_ERROR(status_);
  status_ = call_->CheckInterrupted();
  RETURN_IF_ERROR(status_);
  absl::StatusOr<bool> found = Read(record);
  status_ = found.status();
  return found;
}

absl::StatusOr<bool> SessionRecordStream::Read(Record* record) {
  while (true) {
    if (next_ == rows_.rows_size()) {
      if (more_ == nullptr) {
        return payload_.continues() ? ProtocolBroken("a table ends within a row")
                                    : absl::StatusOr<bool>(false);
      }
      RETURN_IF_ERROR(Fetch());
      continue;
    }
    v1::SessionRow& row = *rows_.mutable_rows(next_++);
    RETURN_IF_ERROR(CheckEntry(row));
    if (!payload_.continues()) {
      last_key_ = row.key();
      record->key = RowKey(std::move(*row.mutable_key()));
    }
    ASSIGN_OR_RETURN(const bool complete,
                     payload_.Add(row.mutable_payload(), row.more(), &record->payload));
    if (complete) {
      return true;
    }
  }
}

absl::Status SessionRecordStream::CheckEntry(const v1::SessionRow& row) {
  if (payload_.continues()) {
    return row.key().empty() ? absl::OkStatus() : ProtocolBroken("a part of a row has a key again");
  }
  if (last_key_.has_value() && row.key() <= *last_key_) {
    return ProtocolBroken("the keys of a table do not ascend");
  }
  return absl::OkStatus();
}

absl::Status SessionRecordStream::Fetch() {
  ASSIGN_OR_RETURN(SessionResponse answer, call_->Next(*more_, {}));
  rows_ = std::move(*answer.mutable_rows());
  next_ = 0;
  return AskForMore();
}

absl::Status SessionRecordStream::AskForMore() {
  more_ = nullptr;
  if (rows_.reading() != reading_ || (rows_.rows().empty() && !rows_.last())) {
    return ProtocolBroken("an answer to a reading is of another one, or without rows");
  }
  if (!rows_.last()) {
    SessionRequest request;
    request.mutable_read_more()->set_reading(reading_);
    more_ = call_->Send(std::move(request), SessionResponse::kRows);
  }
  return absl::OkStatus();
}

}  // namespace reinstate

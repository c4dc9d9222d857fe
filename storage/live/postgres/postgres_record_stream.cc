#include "storage/live/postgres/postgres_record_stream.h"

#include <utility>

#include "storage/base/status_macros.h"

namespace reinstate {

PostgresRecordStream::PostgresRecordStream(PgConnection* connection, RowLayout layout,
                                           PostgresRecordStream** busy_with)
    : connection_(connection), codec_(std::move(layout)), busy_with_(busy_with) {
  *busy_with_ = this;
}

PostgresRecordStream::~PostgresRecordStream() {
  if (*busy_with_ == this) {
    *busy_with_ = nullptr;
    // If it fails the connection is broken, which the next call on it says.
    connection_->DropLines().IgnoreError();
  }
}

absl::StatusOr<bool> PostgresRecordStream::Next(Record* record) {
  RETURN_IF_ERROR(status_);
  absl::StatusOr<bool> more = DoNext(record);
  status_ = more.status();
  return more;
}

absl::StatusOr<bool> PostgresRecordStream::DoNext(Record* record) {
  if (!lines_.empty()) {
    const std::string line = std::move(lines_.front());
    lines_.pop_front();
    RETURN_IF_ERROR(codec_.Decode(line, record));
    return true;
  }
  if (*busy_with_ != this) {
    return false;
  }
  std::string_view line;
  ASSIGN_OR_RETURN(const bool more, connection_->NextLine(&line));
  if (!more) {
    *busy_with_ = nullptr;
    return false;
  }
  RETURN_IF_ERROR(codec_.Decode(line, record));
  return true;
}

absl::Status PostgresRecordStream::ReadAhead() {
  std::string_view line;
  while (status_.ok()) {
    const absl::StatusOr<bool> more = connection_->NextLine(&line);
    status_ = more.status();
    if (!more.ok() || !*more) {
      break;
    }
    lines_.emplace_back(line);
  }
  *busy_with_ = nullptr;
  return status_;
}

}  // namespace reinstate

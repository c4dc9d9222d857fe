#pragma once

#include <deque>
#include <string>

#include "storage/live/postgres/pg_connection.h"
#include "storage/live/postgres/row_codec.h"
#include "storage/model/streams.h"

namespace reinstate {

// The rows of one table of a session, as the lines of a COPY that has been started.
class PostgresRecordStream final : public RecordStream {
 public:
  // `*busy_with` is this stream as long as the connection sends it lines, and nullptr afterwards.
  // Both outlive it.
  PostgresRecordStream(PgConnection* connection, RowLayout layout,
                       PostgresRecordStream** busy_with);
  ~PostgresRecordStream() override;
  PostgresRecordStream(const PostgresRecordStream&) = delete;
  PostgresRecordStream& operator=(const PostgresRecordStream&) = delete;

  absl::StatusOr<bool> Next(Record* record) override;

  // Reads what is left into memory, so that the connection is free for another statement.
  absl::Status ReadAhead();

 private:
  absl::StatusOr<bool> DoNext(Record* record);

  PgConnection* const connection_;
  const RowCodec codec_;
  PostgresRecordStream** const busy_with_;
  std::deque<std::string> lines_;  // read ahead
  absl::Status status_;
};

}  // namespace reinstate

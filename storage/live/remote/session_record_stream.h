#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "reinstate/v1/live_store_service.pb.h"
#include "storage/live/remote/payload_parts.h"
#include "storage/live/remote/session_call.h"
#include "storage/model/streams.h"

namespace reinstate {

// The rows of a table in a session. Asks for the next batch while the caller works on this one.
class SessionRecordStream final : public RecordStream {
 public:
  // `first` is the answer to read_table. `call` outlives the stream.
  SessionRecordStream(SessionCall* call, uint32_t reading, size_t max_payload_bytes,
                      v1::SessionRows first);
  ~SessionRecordStream() override;
  SessionRecordStream(const SessionRecordStream&) = delete;
  SessionRecordStream& operator=(const SessionRecordStream&) = delete;

  // INTERNAL if the server breaks the protocol: keys that do not ascend, an answer without rows.
  absl::StatusOr<bool> Next(Record* record) override;

 private:
  absl::StatusOr<bool> Read(Record* record);
  absl::Status Fetch();
  absl::Status AskForMore();
  absl::Status CheckEntry(const v1::SessionRow& row);

  SessionCall* const call_;
  const uint32_t reading_;
  live_wire::PayloadJoiner payload_;
  SessionCall::TicketPtr more_;  // for the next batch; null after the last
  v1::SessionRows rows_;
  int next_ = 0;
  std::optional<std::string> last_key_;
  absl::Status status_;
};

}  // namespace reinstate

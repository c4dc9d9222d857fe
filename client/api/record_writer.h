#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "reinstate/v1/record_service.pb.h"

namespace reinstate {

// Writes many records of the embedded store in one stream, in the order given.
//
// Records are collected into messages of about 256 KiB; the records of a message that belong to one
// tenant are applied together, the messages one after the other. All is synced when Finish returns
// OK. After an error some may have been applied: writing all of them again is harmless.
//
// Not thread-safe. From ReinstateClient::WriteRecords.
class RecordWriter {
 public:
  virtual ~RecordWriter() = default;

  // Queues one operation; blocks while the daemon is behind. Returns false once the stream is
  // broken, or the operation names a tenant or table that is not UTF-8: Finish says why.
  virtual bool Put(v1::Record record) = 0;
  virtual bool Delete(v1::RecordKey key) = 0;

  // Sends what is left and waits for the daemon. To be called once, last; without it what was sent
  // may or may not be applied. INVALID_ARGUMENT;
  // errors of RecordService.Write.
  virtual absl::StatusOr<v1::WriteResponse> Finish() = 0;
};

}  // namespace reinstate

#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "reinstate/v1/snapshot_service.pb.h"

namespace reinstate {

// Sends a dump in one stream, to be imported. Rows are collected into messages of about 256 KiB;
// long ones go in parts. Nothing is imported unless Finish returns OK.
//
// Not thread-safe. From ReinstateClient::ImportSnapshot.
class DumpSender {
 public:
  virtual ~DumpSender() = default;

  // Each queues one part; blocks while the daemon is behind. They return false once the stream is
  // broken, or a text is not UTF-8: Finish says why. `table` is an index into the header's tables;
  // an empty tenant is nobody.
  virtual bool Labels(v1::DumpLabels labels) = 0;
  virtual bool Row(const std::string& tenant, int table, v1::DumpRow row) = 0;

  // Sends the end and waits for the daemon: the job that makes it a snapshot. To be called once,
  // last. Errors of SnapshotService.ImportSnapshot.
  virtual absl::StatusOr<v1::Job> Finish(v1::DumpEnd end) = 0;

  // Why the stream is broken, once a call has returned false. To be called once, in place of
  // Finish.
  virtual absl::Status Why() = 0;
};

}  // namespace reinstate

#pragma once

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <memory>
#include <string>

#include "client/api/dump_sender.h"
#include "reinstate/v1/snapshot_service.grpc.pb.h"

namespace reinstate {

// DumpSender over a client stream. For client/api only. Borrows the stub.
class GrpcDumpSender : public DumpSender {
 public:
  GrpcDumpSender(v1::SnapshotService::Stub* stub, const v1::ImportSnapshotRequest& first);
  ~GrpcDumpSender() override;
  GrpcDumpSender(const GrpcDumpSender&) = delete;
  GrpcDumpSender& operator=(const GrpcDumpSender&) = delete;

  bool Labels(v1::DumpLabels labels) override;
  bool Row(const std::string& tenant, int table, v1::DumpRow row) override;
  absl::StatusOr<v1::Job> Finish(v1::DumpEnd end) override;
  absl::Status Why() override;

 private:
  // Remembers a text that is no UTF-8, and then sends nothing more.
  bool Send(const v1::ImportSnapshotRequest& request);
  bool SendRows();
  absl::Status Close();

  grpc::ClientContext context_;
  v1::Job response_;
  std::unique_ptr<grpc::ClientWriter<v1::ImportSnapshotRequest>> stream_;
  v1::ImportSnapshotRequest rows_;  // collected
  size_t rows_bytes_ = 0;
  absl::Status refused_;
  bool finished_ = false;
};

}  // namespace reinstate

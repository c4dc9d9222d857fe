#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <string>

#include "client/api/record_writer.h"
#include "reinstate/v1/record_service.grpc.pb.h"

namespace reinstate {

// RecordWriter over a client stream. For client/api only. Borrows the stub.
class GrpcRecordWriter : public RecordWriter {
 public:
  GrpcRecordWriter(v1::RecordService::Stub* stub, std::string store);
  ~GrpcRecordWriter() override;
  GrpcRecordWriter(const GrpcRecordWriter&) = delete;
  GrpcRecordWriter& operator=(const GrpcRecordWriter&) = delete;

  bool Put(v1::Record record) override;
  bool Delete(v1::RecordKey key) override;
  absl::StatusOr<v1::WriteResponse> Finish() override;

 private:
  // Remembers it, and returns false, if tenant or table are no text.
  bool CheckPlace(const google::protobuf::Message& place);
  bool SendIfFull();
  bool Send();

  grpc::ClientContext context_;
  v1::WriteResponse response_;
  std::unique_ptr<grpc::ClientWriter<v1::WriteRequest>> stream_;
  v1::WriteRequest request_;
  int64_t request_bytes_ = 0;
  absl::Status refused_;
  bool finished_ = false;
};

}  // namespace reinstate

#include "client/api/record_writer.h"

#include <utility>

#include "client/api/connection.h"
#include "client/api/grpc_record_writer.h"
#include "client/api/status_from_wire.h"
#include "client/api/text_check.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// Large enough to make the cost of a message negligible, and well below the limits of a message.
constexpr int64_t kMessageBytes = 256 << 10;
constexpr int kMessageOperations = 5'000;

}  // namespace

GrpcRecordWriter::GrpcRecordWriter(v1::RecordService::Stub* stub, std::string store)
    : stream_(stub->Write(&context_, &response_)) {
  request_.set_store(std::move(store));
}

GrpcRecordWriter::~GrpcRecordWriter() {
  if (!finished_) {
    context_.TryCancel();
    stream_->Finish().IgnoreError();
  }
}

bool GrpcRecordWriter::Put(v1::Record record) {
  if (!CheckPlace(record)) {
    return false;
  }
  request_bytes_ += static_cast<int64_t>(record.key().size() + record.payload().size() +
                                         record.tenant().size() + record.table().size());
  *request_.add_operations()->mutable_put() = std::move(record);
  return SendIfFull();
}

bool GrpcRecordWriter::Delete(v1::RecordKey key) {
  if (!CheckPlace(key)) {
    return false;
  }
  request_bytes_ +=
      static_cast<int64_t>(key.key().size() + key.tenant().size() + key.table().size());
  *request_.add_operations()->mutable_delete_() = std::move(key);
  return SendIfFull();
}

absl::StatusOr<v1::WriteResponse> GrpcRecordWriter::Finish() {
  RETURN_IF_ERROR(refused_);
  Send();
  stream_->WritesDone();
  finished_ = true;
  const grpc::Status status = stream_->Finish();
  if (!status.ok()) {
    return StatusFromWire(status);
  }
  return std::move(response_);
}

bool GrpcRecordWriter::CheckPlace(const google::protobuf::Message& place) {
  refused_.Update(CheckTexts(place));
  return refused_.ok();
}

bool GrpcRecordWriter::SendIfFull() {
  if (request_bytes_ < kMessageBytes && request_.operations_size() < kMessageOperations) {
    return true;
  }
  return Send();
}

bool GrpcRecordWriter::Send() {
  // The first message is sent even if empty: it names the store, which is then checked.
  const bool sent = stream_->Write(request_);
  request_.Clear();
  request_bytes_ = 0;
  return sent;
}

}  // namespace reinstate

#include "client/api/dump_sender.h"

#include <utility>

#include "client/api/grpc_dump_sender.h"
#include "client/api/status_from_wire.h"
#include "client/api/text_check.h"
#include "proto/dump_parts.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {

GrpcDumpSender::GrpcDumpSender(v1::SnapshotService::Stub* stub,
                               const v1::ImportSnapshotRequest& first)
    : stream_(stub->ImportSnapshot(&context_, &response_)) {
  Send(first);
}

GrpcDumpSender::~GrpcDumpSender() {
  if (!finished_) {
    context_.TryCancel();
    stream_->Finish().IgnoreError();
  }
}

bool GrpcDumpSender::Send(const v1::ImportSnapshotRequest& request) {
  refused_.Update(CheckTexts(request));
  return refused_.ok() && stream_->Write(request);
}

bool GrpcDumpSender::SendRows() {
  if (rows_.rows().rows().empty()) {
    return true;
  }
  const bool sent = Send(rows_);
  rows_.Clear();
  rows_bytes_ = 0;
  return sent;
}

bool GrpcDumpSender::Labels(v1::DumpLabels labels) {
  v1::ImportSnapshotRequest request;
  *request.mutable_labels() = std::move(labels);
  return SendRows() && Send(request);
}

bool GrpcDumpSender::Row(const std::string& tenant, int table, v1::DumpRow row) {
  const size_t bytes = DumpRowBytes(row);
  const bool other = rows_.rows().tenant() != tenant || rows_.rows().table() != table;
  if ((other || rows_bytes_ + bytes > kDumpMessageBytes) && !SendRows()) {
    return false;
  }
  for (v1::DumpRow& part : SplitDumpRow(std::move(row))) {
    v1::DumpRows* rows = rows_.mutable_rows();
    rows->set_tenant(tenant);
    rows->set_table(table);
    const bool more = part.more();
    *rows->add_rows() = std::move(part);
    if (more && !SendRows()) {
      return false;
    }
  }
  rows_bytes_ += bytes;
  return true;
}

absl::Status GrpcDumpSender::Close() {
  stream_->WritesDone();
  finished_ = true;
  return StatusFromWire(stream_->Finish());
}

absl::StatusOr<v1::Job> GrpcDumpSender::Finish(v1::DumpEnd end) {
  v1::ImportSnapshotRequest request;
  *request.mutable_end() = std::move(end);
  if (SendRows()) {
    Send(request);
  }
  RETURN_IF_ERROR(refused_);
  RETURN_IF_ERROR(Close());
  return std::move(response_);
}

absl::Status GrpcDumpSender::Why() {
  RETURN_IF_ERROR(refused_);
  const absl::Status status = Close();
  return status.ok()
             ? MakeError(Reason::kInternal, "The daemon ended the import before all was sent.")
             : status;
}

}  // namespace reinstate

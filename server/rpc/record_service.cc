#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reinstate/v1/record_service.grpc.pb.h"
#include "server/rpc/bulk_write_sink.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/record_requests.h"
#include "server/rpc/request_checks.h"
#include "server/rpc/services.h"

namespace reinstate {
namespace {

using Wire = v1::RecordService;
using Base =
    RawService<Wire::Service, Wire::WithRawCallbackMethod_Put, Wire::WithRawCallbackMethod_Delete,
               Wire::WithRawCallbackMethod_Get, Wire::WithRawCallbackMethod_Scan,
               Wire::WithRawCallbackMethod_Write, Wire::WithRawCallbackMethod_DeleteTenant>;

constexpr size_t kScanMessageBytes = 256 << 10;

// The records of one tenant in one table, as messages of about kScanMessageBytes.
class ScanSource final : public StreamSource {
 public:
  ScanSource(std::unique_ptr<RecordStream> stream, const v1::ScanRequest& request)
      : stream_(std::move(stream)),
        end_key_(request.end_key()),
        keys_only_(request.keys_only()),
        left_(request.limit() == 0 ? INT64_MAX : request.limit()) {}

  absl::Status Start(std::function<void()> /*wake*/) override { return absl::OkStatus(); }

  absl::StatusOr<Produced> Next(google::protobuf::Message* message) override {
    auto* response = static_cast<v1::ScanResponse*>(message);
    size_t bytes = 0;
    while (left_ > 0 && bytes < kScanMessageBytes) {
      ASSIGN_OR_RETURN(const bool more, stream_->Next(&record_));
      if (!more || (!end_key_.empty() && record_.key.bytes() >= end_key_)) {
        left_ = 0;
        break;
      }
      v1::Record* wire = response->add_records();
      wire->set_key(record_.key.bytes());
      if (!keys_only_) {
        wire->set_payload(record_.payload);
      }
      bytes += wire->key().size() + wire->payload().size();
      --left_;
    }
    return response->records_size() > 0 ? Produced::kMessage : Produced::kEnd;
  }

 private:
  const std::unique_ptr<RecordStream> stream_;
  const std::string end_key_;
  const bool keys_only_;
  int64_t left_;
  Record record_;
};

class RecordServiceImpl final : public Base {
 public:
  RecordServiceImpl(CallGate* gate, const ServiceParts& parts) : gate_(gate), parts_(parts) {}

  grpc::ServerUnaryReactor* Put(grpc::CallbackServerContext* context,
                                const grpc::ByteBuffer* request,
                                grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &RecordServiceImpl::PutRecord);
  }
  grpc::ServerUnaryReactor* Delete(grpc::CallbackServerContext* context,
                                   const grpc::ByteBuffer* request,
                                   grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &RecordServiceImpl::DeleteRecord);
  }
  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context,
                                const grpc::ByteBuffer* request,
                                grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &RecordServiceImpl::GetRecord);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Scan(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* request) override {
    return gate_->ServerStream<v1::ScanResponse>(context, request, this,
                                                 &RecordServiceImpl::ScanRecords);
  }
  grpc::ServerReadReactor<grpc::ByteBuffer>* Write(grpc::CallbackServerContext* /*context*/,
                                                   grpc::ByteBuffer* response) override {
    return gate_->ClientStream<v1::WriteRequest, v1::WriteResponse>(
        response, MakeBulkWriteSink(parts_.stores));
  }
  grpc::ServerUnaryReactor* DeleteTenant(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* request,
                                         grpc::ByteBuffer* response) override {
    return gate_->Unary(context, request, response, this, &RecordServiceImpl::DeleteAll);
  }

 private:
  absl::StatusOr<v1::PutResponse> PutRecord(const Call& call, const v1::PutRequest& request);
  absl::StatusOr<v1::DeleteResponse> DeleteRecord(const Call& call,
                                                  const v1::DeleteRequest& request);
  absl::StatusOr<v1::GetResponse> GetRecord(const Call& call, const v1::GetRequest& request);
  absl::StatusOr<std::unique_ptr<StreamSource>> ScanRecords(const Call& call,
                                                            const v1::ScanRequest& request);
  absl::StatusOr<v1::DeleteTenantResponse> DeleteAll(const Call& call,
                                                     const v1::DeleteTenantRequest& request);

  CallGate* const gate_;
  const ServiceParts parts_;
};

absl::StatusOr<v1::PutResponse> RecordServiceImpl::PutRecord(const Call& /*call*/,
                                                             const v1::PutRequest& request) {
  ASSIGN_OR_RETURN(RecordStore* const records, FindRecords(*parts_.stores, request.store()));
  ASSIGN_OR_RETURN(const RecordWrite write, WriteFromWire("record", request.record()));
  RETURN_IF_ERROR(records->Write({&write, 1}, /*sync=*/true));
  return v1::PutResponse();
}

absl::StatusOr<v1::DeleteResponse> RecordServiceImpl::DeleteRecord(
    const Call& /*call*/, const v1::DeleteRequest& request) {
  ASSIGN_OR_RETURN(RecordStore* const records, FindRecords(*parts_.stores, request.store()));
  ASSIGN_OR_RETURN(const RecordWrite write, DeletionFromWire("key", request.key()));
  RETURN_IF_ERROR(records->Write({&write, 1}, /*sync=*/true));
  return v1::DeleteResponse();
}

absl::StatusOr<v1::GetResponse> RecordServiceImpl::GetRecord(const Call& /*call*/,
                                                             const v1::GetRequest& request) {
  ASSIGN_OR_RETURN(RecordStore* const records, FindRecords(*parts_.stores, request.store()));
  ASSIGN_OR_RETURN(const RecordWrite place, DeletionFromWire("key", request.key()));
  ASSIGN_OR_RETURN(std::optional<std::string> payload,
                   records->Get(place.tenant, place.table, place.key));
  if (!payload.has_value()) {
    return MakeError(Reason::kRecordNotFound,
                     absl::StrCat("There is no record with this key in table ", place.table,
                                  " of tenant ", place.tenant.value(), "."));
  }
  v1::GetResponse response;
  v1::Record* record = response.mutable_record();
  record->set_tenant(request.key().tenant());
  record->set_table(request.key().table());
  record->set_key(request.key().key());
  record->set_payload(*std::move(payload));
  return response;
}

absl::StatusOr<std::unique_ptr<StreamSource>> RecordServiceImpl::ScanRecords(
    const Call& /*call*/, const v1::ScanRequest& request) {
  ASSIGN_OR_RETURN(RecordStore* const records, FindRecords(*parts_.stores, request.store()));
  ASSIGN_OR_RETURN(const TenantId tenant, ParseTenant("tenant", request.tenant()));
  RETURN_IF_ERROR(CheckTableName("table", request.table()));
  if (request.limit() < 0) {
    return FieldError("limit", "must not be negative.");
  }
  ASSIGN_OR_RETURN(std::unique_ptr<RecordStream> stream,
                   records->Scan(tenant, request.table(), RowKey(request.start_key())));
  return std::make_unique<ScanSource>(std::move(stream), request);
}

absl::StatusOr<v1::DeleteTenantResponse> RecordServiceImpl::DeleteAll(
    const Call& /*call*/, const v1::DeleteTenantRequest& request) {
  ASSIGN_OR_RETURN(RecordStore* const records, FindRecords(*parts_.stores, request.store()));
  ASSIGN_OR_RETURN(const TenantId tenant, ParseTenant("tenant", request.tenant()));
  v1::DeleteTenantResponse response;
  ASSIGN_OR_RETURN(const int64_t deleted, records->DeleteTenant(tenant));
  response.set_records(deleted);
  return response;
}

}  // namespace

std::unique_ptr<grpc::Service> MakeRecordService(CallGate* gate, const ServiceParts& parts) {
  return std::make_unique<RecordServiceImpl>(gate, parts);
}

}  // namespace reinstate

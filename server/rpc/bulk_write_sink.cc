#include "server/rpc/bulk_write_sink.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reinstate/v1/record_service.pb.h"
#include "server/rpc/record_requests.h"
#include "server/rpc/request_checks.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

absl::StatusOr<std::vector<RecordWrite>> WritesFromWire(const v1::WriteRequest& request) {
  if (request.operations_size() > kMaxBulkOperations) {
    return FieldError("operations",
                      absl::StrCat("has ", request.operations_size(), " entries; at most ",
                                   kMaxBulkOperations, " are allowed in one message."));
  }
  std::vector<RecordWrite> writes;
  writes.reserve(static_cast<size_t>(request.operations_size()));
  for (int i = 0; i < request.operations_size(); ++i) {
    const v1::WriteOperation& operation = request.operations(i);
    const std::string field = absl::StrCat("operations[", i, "]");
    absl::StatusOr<RecordWrite> write = FieldError(field, "must be `put` or `delete`.");
    if (operation.has_put()) {
      write = WriteFromWire(absl::StrCat(field, ".put"), operation.put());
    } else if (operation.has_delete_()) {
      write = DeletionFromWire(absl::StrCat(field, ".delete"), operation.delete_());
    }
    RETURN_IF_ERROR(write.status());
    writes.push_back(*std::move(write));
  }
  return writes;
}

class BulkWriteSink final : public MessageSink {
 public:
  explicit BulkWriteSink(const StoreRegistry* stores) : stores_(stores) {}

  absl::Status Accept(std::unique_ptr<google::protobuf::Message> message) override {
    const auto& request = static_cast<const v1::WriteRequest&>(*message);
    RETURN_IF_ERROR(ChooseStore(request.store()));
    ASSIGN_OR_RETURN(std::vector<RecordWrite> writes, WritesFromWire(request));
    if (writes.empty()) {
      return absl::OkStatus();
    }
    // The message before this one was not the last, whose write is the one that syncs.
    RETURN_IF_ERROR(Flush(/*sync=*/false));
    pending_ = std::move(writes);
    return absl::OkStatus();
  }

  absl::Status Close(google::protobuf::Message* response) override {
    RETURN_IF_ERROR(Flush(/*sync=*/true));
    *static_cast<v1::WriteResponse*>(response) = result_;
    return absl::OkStatus();
  }

 private:
  absl::Status ChooseStore(const std::string& name) {
    if (records_ == nullptr) {
      name_ = name;
      ASSIGN_OR_RETURN(records_, FindRecords(*stores_, name));
    } else if (!name.empty() && name != name_) {
      return FieldError("store", "differs from that of the first message.");
    }
    return absl::OkStatus();
  }

  absl::Status Flush(bool sync) {
    if (pending_.empty()) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(records_->Write(pending_, sync));
    for (const RecordWrite& write : pending_) {
      if (write.payload.has_value()) {
        result_.set_puts(result_.puts() + 1);
        result_.set_bytes_put(result_.bytes_put() + static_cast<int64_t>(write.key.bytes().size() +
                                                                         write.payload->size()));
      } else {
        result_.set_deletes(result_.deletes() + 1);
      }
    }
    pending_.clear();
    return absl::OkStatus();
  }

  const StoreRegistry* const stores_;
  std::string name_;
  RecordStore* records_ = nullptr;
  std::vector<RecordWrite> pending_;  // received, not applied yet
  v1::WriteResponse result_;
};

}  // namespace

std::unique_ptr<MessageSink> MakeBulkWriteSink(const StoreRegistry* stores) {
  return std::make_unique<BulkWriteSink>(stores);
}

}  // namespace reinstate

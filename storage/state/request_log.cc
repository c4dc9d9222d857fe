#include "storage/state/request_log.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

bool IsExpired(const state::RequestRecord& record, absl::Time now) {
  return absl::FromUnixMicros(record.created_us()) + RequestLog::kKept <= now;
}

}  // namespace

absl::StatusOr<std::optional<std::string>> RequestLog::Find(const RequestKey& request,
                                                            absl::Time now) const {
  if (request.id.empty()) {
    return std::nullopt;
  }
  state::RequestRecord record;
  ASSIGN_OR_RETURN(const bool found,
                   database_->Get(StateFamily::kRequests, StateKeys::ForId(request.id), &record));
  if (!found || IsExpired(record, now)) {
    return std::nullopt;
  }
  if (record.method() != request.method || record.request_digest() != request.request_digest) {
    return MakeError(Reason::kRequestIdReused,
                     absl::StrCat("the request id \"", Printable(request.id),
                                  "\" was used before for another request (", record.method(),
                                  "); choose a new one"));
  }
  return record.result();
}

void RequestLog::Add(const RequestKey& request, const std::string& result, absl::Time now,
                     ChangeSet* change) const {
  if (request.id.empty()) {
    return;
  }
  state::RequestRecord record;
  record.set_method(request.method);
  record.set_request_digest(request.request_digest);
  record.set_result(result);
  record.set_created_us(absl::ToUnixMicros(now));
  change->Put(StateFamily::kRequests, StateKeys::ForId(request.id), record);
}

absl::Status RequestLog::RemoveExpired(absl::Time now, ChangeSet* change) const {
  return database_->Scan(
      StateFamily::kRequests, StateDatabase::Order::kAscending, "",
      [&](std::string_view key, std::string_view value) -> absl::StatusOr<bool> {
        state::RequestRecord record;
        if (!record.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
          return MakeError(Reason::kCorrupt, "the record of a request cannot be read");
        }
        if (IsExpired(record, now)) {
          change->Delete(StateFamily::kRequests, std::string(key));
        }
        return true;
      });
}

}  // namespace reinstate

#pragma once

#include <google/protobuf/message_lite.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "storage/state/state_keys.h"

namespace reinstate {

// The records that one change of the state puts and deletes, to be written in one step. A later put
// or deletion of a key replaces an earlier one. A value.
class ChangeSet {
 public:
  // Key -> value, or nullopt to delete it. Deleting what is not there is no error.
  using Records = std::map<std::pair<StateFamily, std::string>, std::optional<std::string>>;

  // The end of the audit chain.
  struct AuditHead {
    int64_t number = 0;
    std::string digest;
  };

  void Put(StateFamily family, std::string key, const google::protobuf::MessageLite& value);
  void Delete(StateFamily family, std::string key);
  void SetAuditHead(AuditHead head) { audit_head_ = std::move(head); }

  const Records& records() const { return records_; }
  const std::optional<AuditHead>& audit_head() const { return audit_head_; }

 private:
  Records records_;
  std::optional<AuditHead> audit_head_;
};

// The same bytes for the same value, always: for what is hashed.
std::string SerializeDeterministic(const google::protobuf::MessageLite& value);

}  // namespace reinstate

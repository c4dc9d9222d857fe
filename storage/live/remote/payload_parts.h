#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reinstate/v1/live_store_service.pb.h"
#include "storage/live/tenant_session.h"

// Payloads go over the wire in parts of bounded size.

namespace reinstate::live_wire {

// Joins the parts of payloads, one payload after the other. Not thread-safe.
class PayloadJoiner {
 public:
  explicit PayloadJoiner(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Whether the next part continues the payload of the last one.
  bool continues() const { return continues_; }

  // Puts `part` into `*payload`, or appends it if it continues. Returns whether it is complete.
  // TOO_LARGE if it exceeds the limit.
  absl::StatusOr<bool> Add(std::string* part, bool more, std::string* payload);

 private:
  const size_t max_bytes_;
  bool continues_ = false;
};

// Cuts a change into parts. Borrows it.
class ChangeSplitter {
 public:
  explicit ChangeSplitter(const Change& change);

  // Fills in the next entry, which is clear. Returns whether there are more.
  bool Next(v1::SessionChange* entry);

 private:
  const Change& change_;
  std::string_view old_left_;
  std::string_view new_left_;
  bool first_ = true;
};

// Puts the answer to a look-up together. Not thread-safe.
class KeyStateJoiner {
 public:
  // Appends to `*states`, one for each of `keys` keys.
  KeyStateJoiner(size_t keys, size_t max_payload_bytes, std::vector<KeyState>* states)
      : max_size_(states->size() + keys), payload_(max_payload_bytes), states_(states) {}

  // Takes up a message; the last of them if `message` says so. INTERNAL if it breaks the protocol:
  // other than one entry a key, or a payload of a row that is not the tenant's. TOO_LARGE.
  absl::Status Add(v1::SessionLookedUp message);

 private:
  absl::Status AddEntry(v1::SessionKeyState* entry);

  const size_t max_size_;
  PayloadJoiner payload_;
  std::vector<KeyState>* const states_;
};

}  // namespace reinstate::live_wire

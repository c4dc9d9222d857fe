#include "storage/live/remote/payload_parts.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/remote/wire_limits.h"
#include "storage/live/remote/wire_status.h"
#include "storage/live/remote/wire_values.h"

namespace reinstate::live_wire {
namespace {

std::string_view Take(std::string_view* left, size_t bytes) {
  const std::string_view taken = left->substr(0, bytes);
  left->remove_prefix(taken.size());
  return taken;
}

}  // namespace

absl::StatusOr<bool> PayloadJoiner::Add(std::string* part, bool more, std::string* payload) {
  if (!continues_) {
    *payload = std::move(*part);
  } else {
    payload->append(*part);
  }
  if (payload->size() > max_bytes_) {
    return MakeError(Reason::kTooLarge, absl::StrCat("a row is over the limit of ", max_bytes_,
                                                     " bytes of a store that is reached over the "
                                                     "network"));
  }
  continues_ = more;
  return !more;
}

ChangeSplitter::ChangeSplitter(const Change& change)
    : change_(change), old_left_(change.old_payload), new_left_(change.new_payload) {}

bool ChangeSplitter::Next(v1::SessionChange* entry) {
  if (std::exchange(first_, false)) {
    entry->set_kind(ToWire(change_.kind));
    entry->set_table(change_.table);
    entry->set_key(change_.key.bytes());
  }
  const std::string_view old_part = Take(&old_left_, kPartBytes);
  entry->set_old_payload(std::string(old_part));
  entry->set_new_payload(std::string(Take(&new_left_, kPartBytes - old_part.size())));
  const bool more = !old_left_.empty() || !new_left_.empty();
  entry->set_more(more);
  return more;
}

absl::Status KeyStateJoiner::Add(v1::SessionLookedUp message) {
  for (v1::SessionKeyState& entry : *message.mutable_states()) {
    RETURN_IF_ERROR(AddEntry(&entry));
  }
  if (message.last() && (payload_.continues() || states_->size() != max_size_)) {
    return ProtocolBroken("a look-up was not answered for every key");
  }
  return absl::OkStatus();
}

absl::Status KeyStateJoiner::AddEntry(v1::SessionKeyState* entry) {
  if (!payload_.continues()) {
    if (states_->size() == max_size_) {
      return ProtocolBroken("a look-up was answered for more keys than were asked for");
    }
    KeyState state;
    ASSIGN_OR_RETURN(state.owner, FromWire(entry->owner()));
    states_->push_back(std::move(state));
  } else if (entry->owner() != v1::KEY_OWNER_UNSPECIFIED) {
    return ProtocolBroken("a part of a payload names an owner again");
  }
  KeyState& state = states_->back();
  if (state.owner != KeyOwner::kThisTenant) {
    return entry->payload().empty() && !entry->more()
               ? absl::OkStatus()
               : ProtocolBroken("it shows the payload of a row that is not the tenant's");
  }
  if (!state.payload.has_value()) {
    state.payload.emplace();
  }
  return payload_.Add(entry->mutable_payload(), entry->more(), &*state.payload).status();
}

}  // namespace reinstate::live_wire

#include "storage/live/labels.h"

#include "storage/model/tenant_id.h"

namespace reinstate {

std::string LabelFromPayload(std::string_view payload) {
  if (payload.size() <= kMaxLabelBytes && IsUtf8(payload)) {
    return std::string(payload);
  }
  return Printable(payload, kMaxLabelBytes);
}

}  // namespace reinstate

#include "server/rpc/idempotent.h"

#include <optional>

#include "storage/base/status_macros.h"

namespace reinstate {

absl::Status OnlyOnce(StateStore* state, const RequestKey& request, const std::string& result,
                      const std::function<absl::Status()>& action) {
  if (request.id.empty()) {
    return action();
  }
  ASSIGN_OR_RETURN(const std::optional<std::string> earlier, state->FindRequest(request));
  if (earlier.has_value()) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(action());
  return state->RecordRequest(request, result);
}

}  // namespace reinstate

#include "server/jobs/batch_cancel_reason.h"

#include "absl/strings/str_cat.h"

namespace reinstate {
namespace {

std::string Beginning(const std::string& batch) {
  return absl::StrCat("batch ", batch, " was cancelled");
}

}  // namespace

std::string BatchCancelReason(const state::BatchRecord& batch) {
  return absl::StrCat(Beginning(batch.id()), batch.cancel_reason().empty() ? "" : ": ",
                      batch.cancel_reason());
}

bool WasCancelledWithBatch(const state::RestoreRecord& restore) {
  return !restore.order().batch().empty() &&
         restore.cancel_reason().starts_with(Beginning(restore.order().batch()));
}

}  // namespace reinstate

#include "storage/live/remote/call_group.h"

#include <grpcpp/client_context.h>

namespace reinstate {

CallGroup::Member::Member(CallGroup* group, grpc::ClientContext* context)
    : group_(group), context_(context) {
  MutexLock lock(&group_->mu_);
  group_->calls_.insert(context_);
  if (!group_->ended_.ok()) {
    context_->TryCancel();  // also before the call begins
  }
}

CallGroup::Member::~Member() {
  MutexLock lock(&group_->mu_);
  group_->calls_.erase(context_);
}

void CallGroup::End(const absl::Status& reason) {
  MutexLock lock(&mu_);
  if (ended_.ok()) {
    ended_ = reason;
  }
  for (grpc::ClientContext* context : calls_) {
    context->TryCancel();
  }
}

absl::Status CallGroup::ended() const {
  MutexLock lock(&mu_);
  return ended_;
}

}  // namespace reinstate

#pragma once

#include <set>

#include "absl/status/status.h"
#include "storage/base/mutex.h"

namespace grpc {
class ClientContext;
}  // namespace grpc

namespace reinstate {

// The calls that depend on one thing at the server (a cut), so that they can all be ended when it
// is gone. Thread-safe. Outlives the calls.
class CallGroup {
 public:
  CallGroup() = default;
  CallGroup(const CallGroup&) = delete;
  CallGroup& operator=(const CallGroup&) = delete;

  // While it lives, End cancels the call.
  class Member {
   public:
    Member(CallGroup* group, grpc::ClientContext* context);
    ~Member();
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

   private:
    CallGroup* const group_;
    grpc::ClientContext* const context_;
  };

  // Cancels all calls, and those that are yet to come. The first reason stays.
  void End(const absl::Status& reason);

  // Why the calls were cancelled; OK if they were not.
  absl::Status ended() const;

 private:
  mutable Mutex mu_;
  absl::Status ended_ ABSL_GUARDED_BY(mu_);
  std::set<grpc::ClientContext*> calls_ ABSL_GUARDED_BY(mu_);
};

}  // namespace reinstate

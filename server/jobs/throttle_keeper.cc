#include "server/jobs/throttle_keeper.h"

#include <optional>

#include "absl/time/time.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {

absl::Status ThrottleKeeper::Load() {
  for (const ServedStore* store : stores_->List()) {
    governor_->AddStore(store->name, store->live);
    const absl::StatusOr<state::StoreRecord> record = stores_->Record(store->name);
    if (!record.ok() && !HasReason(record.status(), Reason::kUnavailable)) {
      return record.status();
    }
    Apply(*store, record.ok() ? record->throttle() : state::Throttle());
    if (record.ok() && record->has_throttle_debt()) {
      const state::ThrottleDebt& debt = record->throttle_debt();
      governor_->Owe(store->name, {.rows = debt.rows(), .bytes = debt.bytes()},
                     absl::FromUnixMicros(debt.as_of_us()));
    }
  }
  return absl::OkStatus();
}

void ThrottleKeeper::Apply(const ServedStore& store, const state::Throttle& throttle) {
  governor_->SetLimits(store.name, {.rows_per_second = throttle.rows_per_second(),
                                    .bytes_per_second = throttle.bytes_per_second()});
  runner_->SetLimit(
      store.name, throttle.max_running() > 0 ? throttle.max_running() : store.max_running_restores);
}

absl::Status ThrottleKeeper::KeepDebt(const std::string& store) {
  MutexLock lock(&mu_);
  const std::optional<StoreThrottle::Debts> owed = governor_->Owed(store);
  if (!owed.has_value()) {
    return absl::OkStatus();
  }
  return StoreDebt(store, *owed);
}

absl::Status ThrottleKeeper::StoreDebt(const std::string& store, const StoreThrottle::Debts& owed) {
  state::ThrottleDebt debt;
  debt.set_rows(owed.rows);
  debt.set_bytes(owed.bytes);
  debt.set_as_of_us(absl::ToUnixMicros(clock_->Now()));
  return stores_->SetThrottleDebt(store, debt);
}

absl::Status ThrottleKeeper::Set(const std::string& store, const state::Throttle& throttle,
                                 const state::Actor& actor, const std::string& reason) {
  if (throttle.rows_per_second() < 0 || throttle.bytes_per_second() < 0 ||
      throttle.max_running() < 0) {
    return MakeError(Reason::kInvalidArgument, "a limit cannot be less than 0, which is none");
  }
  ASSIGN_OR_RETURN(const ServedStore* served, stores_->Find(store));
  MutexLock lock(&mu_);
  RETURN_IF_ERROR(stores_->SetThrottle(store, throttle, actor, reason));
  Apply(*served, throttle);
  // What was stored before would be paid off at the new limits for the time before them, and what
  // was forgiven be owed again.
  return StoreDebt(store, governor_->Owed(store).value_or(StoreThrottle::Debts()));
}

}  // namespace reinstate

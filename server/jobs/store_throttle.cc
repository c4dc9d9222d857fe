#include "server/jobs/store_throttle.h"

#include <algorithm>

namespace reinstate {

void StoreThrottle::Debt::SetLimit(int64_t per_second) {
  per_second_ = static_cast<double>(per_second);
  if (per_second == 0) {
    owed_ = 0;
  }
}

double StoreThrottle::Debt::After(absl::Duration elapsed) const {
  return std::max(0.0, owed_ - per_second_ * absl::ToDoubleSeconds(elapsed));
}

void StoreThrottle::Debt::Pay(absl::Duration elapsed) { owed_ = After(elapsed); }

std::optional<int64_t> StoreThrottle::Debt::Take(int64_t amount) {
  if (per_second_ == 0) {
    return std::nullopt;
  }
  owed_ += static_cast<double>(amount);
  return amount;
}

void StoreThrottle::Debt::Correct(std::optional<int64_t> taken, int64_t actual) {
  if (taken.has_value() && per_second_ > 0) {
    owed_ = std::max(0.0, owed_ + static_cast<double>(actual - *taken));
  }
}

absl::Duration StoreThrottle::Debt::left() const {
  return per_second_ == 0 ? absl::ZeroDuration() : absl::Seconds(owed_ / per_second_);
}

absl::Duration StoreThrottle::ElapsedUntil(absl::Time now) const {
  return paid_until_ == absl::InfinitePast() ? absl::ZeroDuration()
                                             : std::max(absl::ZeroDuration(), now - paid_until_);
}

void StoreThrottle::PayUntil(absl::Time now) {
  const absl::Duration elapsed = ElapsedUntil(now);
  rows_.Pay(elapsed);
  bytes_.Pay(elapsed);
  paid_until_ = now;
}

void StoreThrottle::SetLimits(const Limits& limits, absl::Time now) {
  PayUntil(now);
  limits_ = limits;
  rows_.SetLimit(limits.rows_per_second);
  bytes_.SetLimit(limits.bytes_per_second);
}

StoreThrottle::Reservation StoreThrottle::Reserve(const Size& size, absl::Time now) {
  PayUntil(now);
  return {.rows = rows_.Take(size.rows), .bytes = bytes_.Take(size.bytes)};
}

void StoreThrottle::Settle(const Reservation& reservation, const Size& actual, absl::Time now) {
  PayUntil(now);
  rows_.Correct(reservation.rows, actual.rows);
  bytes_.Correct(reservation.bytes, actual.bytes);
}

StoreThrottle::Debts StoreThrottle::Owed(absl::Time now) const {
  const absl::Duration elapsed = ElapsedUntil(now);
  return {.rows = rows_.After(elapsed), .bytes = bytes_.After(elapsed)};
}

void StoreThrottle::Owe(const Debts& debts, absl::Time as_of, absl::Time now) {
  rows_.Set(debts.rows);
  bytes_.Set(debts.bytes);
  paid_until_ = std::min(as_of, now);
  PayUntil(now);
}

StoreThrottle::Start StoreThrottle::NextStart(absl::Time now, const Size& before) const {
  StoreThrottle then = *this;
  then.Reserve(before, now);
  const absl::Duration wait = std::max(then.rows_.left(), then.bytes_.left());
  if (wait <= absl::ZeroDuration()) {
    return {.time = now, .cause = Cause::kNone};
  }
  return {.time = now + wait,
          .cause = then.rows_.left() >= then.bytes_.left() ? Cause::kRows : Cause::kBytes};
}

}  // namespace reinstate

#pragma once

#include <cstdint>
#include <optional>

#include "absl/time/time.h"

namespace reinstate {

// How fast restores may write into one store: a budget of rows and bytes a second, of which a
// restore takes what it needs at its begin. What is not there yet is a debt, and the next restore
// begins once it is paid off: a giant is not slowed down, those after it wait. What nobody took is
// not saved up, so over any time restores take no more than the limits allow and one restore, also
// over restarts if what is Owed is kept.
//
// Pure: knows no threads and no clock. A `now` before that of the last call pays nothing off. Not
// thread-safe.
class StoreThrottle {
 public:
  struct Limits {
    int64_t rows_per_second = 0;   // 0: no limit
    int64_t bytes_per_second = 0;  // of keys and payloads
  };

  struct Size {
    int64_t rows = 0;
    int64_t bytes = 0;
  };

  // What was taken for a restore; nothing of what had no limit then.
  struct Reservation {
    std::optional<int64_t> rows;
    std::optional<int64_t> bytes;
  };

  // What holds the next restore back.
  enum class Cause { kNone, kRows, kBytes };

  struct Start {
    absl::Time time;  // not before `now`
    Cause cause = Cause::kNone;
  };

  // From now on; debts stay, but where there is no limit any more.
  void SetLimits(const Limits& limits, absl::Time now);
  const Limits& limits() const { return limits_; }
  bool has_limits() const { return limits_.rows_per_second != 0 || limits_.bytes_per_second != 0; }

  // Takes the budget of a restore that begins, whether or not NextStart allows it.
  Reservation Reserve(const Size& size, absl::Time now);

  // It has ended, and wrote `actual`: gives back what it did not need, as far as that is still owed
  // (time has paid for the rest), or takes what it needed besides.
  void Settle(const Reservation& reservation, const Size& actual, absl::Time now);

  // What is owed of the limits; nothing where there is no limit.
  struct Debts {
    double rows = 0;
    double bytes = 0;
  };
  Debts Owed(absl::Time now) const;
  // Owes what was owed at `as_of` and has not been paid off since, in the place of what is owed
  // now. A time in the future, as of a clock that was set back since, counts as now.
  void Owe(const Debts& debts, absl::Time as_of, absl::Time now);

  // When a restore may begin that follows others of `before`, which have yet to begin, and which
  // limit is the last to allow it.
  Start NextStart(absl::Time now, const Size& before) const;

 private:
  // What is owed of one limit. No limit owes nothing.
  class Debt {
   public:
    void SetLimit(int64_t per_second);
    void Pay(absl::Duration elapsed);
    std::optional<int64_t> Take(int64_t amount);
    void Correct(std::optional<int64_t> taken, int64_t actual);
    absl::Duration left() const;
    double After(absl::Duration elapsed) const;
    void Set(double owed) { owed_ = per_second_ == 0 ? 0 : owed; }

   private:
    double per_second_ = 0;
    double owed_ = 0;
  };

  absl::Duration ElapsedUntil(absl::Time now) const;
  void PayUntil(absl::Time now);

  Limits limits_;
  Debt rows_;
  Debt bytes_;
  absl::Time paid_until_ = absl::InfinitePast();
};

}  // namespace reinstate

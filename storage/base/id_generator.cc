#include "storage/base/id_generator.h"

#include <algorithm>
#include <array>
#include <random>
#include <utility>

namespace reinstate {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr size_t kCharacters = 26;
constexpr uint64_t kMaxMs = (uint64_t{1} << 48) - 1;

__extension__ using Bits128 = unsigned __int128;

uint64_t SystemRandom() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

uint64_t ToMs(absl::Time time) {
  return static_cast<uint64_t>(
      std::clamp<int64_t>(absl::ToUnixMillis(time), 0, static_cast<int64_t>(kMaxMs)));
}

std::string Encode(uint64_t ms, uint64_t high, uint64_t low) {
  Bits128 bits = (Bits128{ms} << 80) | (Bits128{high} << 64) | low;
  std::string text(kCharacters, '0');
  for (size_t i = kCharacters; i-- > 0;) {
    text[i] = kAlphabet[static_cast<size_t>(bits & 31)];
    bits >>= 5;
  }
  return text;
}

}  // namespace

IdGenerator::IdGenerator(const Clock* clock, std::function<uint64_t()> random)
    : clock_(clock), random_(random ? std::move(random) : SystemRandom) {}

std::string IdGenerator::Next(std::string_view prefix) {
  const uint64_t now_ms = ToMs(clock_->Now());
  std::string id(prefix);
  id += '-';
  MutexLock lock(&mu_);
  if (now_ms > last_ms_) {
    last_ms_ = now_ms;
    // The top bit stays clear, so that counting on within a millisecond does not overflow.
    high_ = random_() & 0x7fff;
    low_ = random_();
  } else if (++low_ == 0) {
    ++high_;
  }
  return id + Encode(last_ms_, high_, low_);
}

}  // namespace reinstate

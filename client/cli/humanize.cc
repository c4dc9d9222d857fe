#include "client/cli/humanize.h"

#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace reinstate {
namespace {

struct Unit {
  const char* name;
  absl::Duration length;
};

constexpr int kUnits = 4;

const std::array<Unit, kUnits>& Units() {
  static const auto* units = new std::array<Unit, kUnits>{{{"d", absl::Hours(24)},
                                                           {"h", absl::Hours(1)},
                                                           {"min", absl::Minutes(1)},
                                                           {"s", absl::Seconds(1)}}};
  return *units;
}

// The largest unit that fits into `duration`, or seconds.
int LargestUnit(absl::Duration duration) {
  for (int i = 0; i < kUnits - 1; ++i) {
    if (duration >= Units()[i].length) {
      return i;
    }
  }
  return kUnits - 1;
}

}  // namespace

std::string HumanCount(int64_t count) {
  std::string digits = absl::StrCat(count);
  const int first = count < 0 ? 1 : 0;
  for (int at = static_cast<int>(digits.size()) - 3; at > first; at -= 3) {
    digits.insert(at, ",");
  }
  return digits;
}

std::string HumanNumber(int64_t count, const std::string& noun) {
  return absl::StrCat(HumanCount(count), " ", noun, count == 1 ? "" : "s");
}

std::string HumanBytes(int64_t bytes) {
  constexpr std::array kNames = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (std::abs(bytes) < 1024) {
    return absl::StrCat(bytes, " B");
  }
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  // What would print as 1024.0 is one of the next unit.
  while (std::abs(value) >= 1023.95 && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", value, kNames[unit]);
}

std::string HumanDuration(absl::Duration duration) {
  if (duration < absl::ZeroDuration()) {
    return absl::StrCat("-", HumanDuration(-duration));
  }
  if (duration < absl::Seconds(9.95)) {
    const double tenths = std::round(absl::ToDoubleSeconds(duration) * 10);
    const bool whole = std::fmod(tenths, 10) == 0;
    return absl::StrFormat("%.*f s", whole ? 0 : 1, tenths / 10);
  }
  const absl::Duration rounded = absl::Floor(duration + absl::Milliseconds(500), absl::Seconds(1));
  const int unit = LargestUnit(rounded);
  absl::Duration rest;
  const int64_t large = absl::IDivDuration(rounded, Units()[unit].length, &rest);
  std::string text = absl::StrCat(large, " ", Units()[unit].name);
  if (unit + 1 < kUnits) {
    const int64_t small = absl::IDivDuration(rest, Units()[unit + 1].length, &rest);
    if (small != 0) {
      absl::StrAppend(&text, " ", small, " ", Units()[unit + 1].name);
    }
  }
  return text;
}

std::string HumanAge(absl::Time time, absl::Time now) {
  const absl::Duration distance = absl::AbsDuration(now - time);
  if (distance < absl::Seconds(1)) {
    return "just now";
  }
  const Unit& unit = Units()[LargestUnit(distance)];
  const std::string text =
      absl::StrCat(std::llround(absl::FDivDuration(distance, unit.length)), " ", unit.name);
  return time > now ? absl::StrCat("in ", text) : absl::StrCat(text, " ago");
}

std::string HumanTime(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%SZ", time, absl::UTCTimeZone());
}

std::string HumanTimeWithAge(absl::Time time, absl::Time now) {
  return absl::StrCat(HumanTime(time), ", ", HumanAge(time, now));
}

std::string Rfc3339(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", time, absl::UTCTimeZone());
}

absl::Time ToTime(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

}  // namespace reinstate

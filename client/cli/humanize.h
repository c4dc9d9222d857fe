#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace reinstate {

// Numbers and times as people read them. Times are in UTC.

// "1,234,567".
std::string HumanCount(int64_t count);

// "1 tenant", "1,234 tenants".
std::string HumanNumber(int64_t count, const std::string& noun);

// "512 B", "1.2 KiB", "3.4 GiB".
std::string HumanBytes(int64_t bytes);

// The two largest units: "0 s", "0.4 s" (below 10 s, with a tenth unless whole), "42 s",
// "5 min 9 s", "2 h 5 min", "3 d 4 h". Negative ones begin with "-".
std::string HumanDuration(absl::Duration duration);

// "just now", "5 min ago", "in 3 h": the largest unit of the distance from `now`.
std::string HumanAge(absl::Time time, absl::Time now);

// "2026-11-22 14:03:11Z".
std::string HumanTime(absl::Time time);

// "2026-11-22 14:03:11Z, 5 min ago".
std::string HumanTimeWithAge(absl::Time time, absl::Time now);

// "2026-11-22T14:03:11.123456Z", for programs.
std::string Rfc3339(absl::Time time);

absl::Time ToTime(const google::protobuf::Timestamp& timestamp);
absl::Duration ToDuration(const google::protobuf::Duration& duration);

}  // namespace reinstate

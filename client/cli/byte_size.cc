#include "client/cli/byte_size.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "storage/base/error.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

constexpr std::pair<const char*, int> kUnits[] = {
    {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};

bool IsNumber(absl::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isdigit(c); });
}

}  // namespace

absl::StatusOr<int64_t> ParseByteSize(std::string_view flag, const std::string& text) {
  absl::string_view number = text;
  int shift = 0;
  for (const auto& [unit, bits] : kUnits) {
    if (absl::ConsumeSuffix(&number, unit)) {
      number = absl::StripTrailingAsciiWhitespace(number);
      shift = bits;
      break;
    }
  }
  int64_t count = 0;
  if (!IsNumber(number) || !absl::SimpleAtoi(number, &count) ||
      count > (std::numeric_limits<int64_t>::max() >> shift)) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat(Absl(flag), " ", text,
                                  " is not a size, e.g. 20MiB, 512KiB, or a number of bytes."));
  }
  return count << shift;
}

}  // namespace reinstate

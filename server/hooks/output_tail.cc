#include "server/hooks/output_tail.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "storage/base/strings.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

bool IsContinuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U; }

}  // namespace

void OutputTail::Append(std::string_view text) {
  if (text.size() > kMaxBytes) {
    text.remove_prefix(text.size() - kMaxBytes);
    tail_.clear();
    cut_ = true;
  }
  tail_.append(text);
  if (tail_.size() > 2 * kMaxBytes) {
    tail_.erase(0, tail_.size() - kMaxBytes);
    cut_ = true;
  }
}

std::string OutputTail::Text() const {
  std::string_view text = tail_;
  const bool cut = cut_ || text.size() > kMaxBytes;
  text.remove_prefix(text.size() - std::min(text.size(), kMaxBytes));
  // The rest of a character whose beginning was cut off.
  for (int i = 0; cut && i < 3 && !text.empty() && IsContinuation(text.front()); ++i) {
    text.remove_prefix(1);
  }
  const std::string line =
      absl::StrJoin(absl::StrSplit(Absl(text), absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty()), " ");
  return line.empty() ? "" : absl::StrCat(cut ? "…" : "", Printable(line, kMaxBytes));
}

}  // namespace reinstate

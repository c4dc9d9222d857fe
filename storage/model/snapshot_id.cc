#include "storage/model/snapshot_id.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "storage/base/error.h"
#include "storage/base/strings.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

std::string SnapshotId::ToString() const { return absl::StrCat("snap-", lineage, "-", version); }

absl::StatusOr<SnapshotId> SnapshotId::Parse(std::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(Absl(text), '-');
  SnapshotId id;
  // The text must be the one that ToString writes: no signs, spaces or leading zeros.
  if (parts.size() == 3 && parts[0] == "snap" && absl::SimpleAtoi(parts[1], &id.lineage) &&
      absl::SimpleAtoi(parts[2], &id.version) && id.ToString() == text) {
    return id;
  }
  return MakeError(
      Reason::kPointInvalid,
      absl::StrCat("\"", Printable(text), "\" is not a snapshot id; they look like snap-1-12"));
}

}  // namespace reinstate

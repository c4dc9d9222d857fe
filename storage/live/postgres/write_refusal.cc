#include "storage/live/postgres/write_refusal.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace reinstate {

std::string WriteRefusal(const PgTable& table, const std::set<std::string>& may_fire) {
  if (!table.firing.empty() && !may_fire.contains(table.DisplayName())) {
    return absl::StrCat("it has triggers or rules that fire in a restore (",
                        absl::StrJoin(table.firing, ", "),
                        "); allow that with may_fire in the configuration of the store, or leave "
                        "the table out");
  }
  const auto unchecked =
      std::find_if(table.uniques.begin(), table.uniques.end(),
                   [](const PgUnique& unique) { return unique.exclusion && unique.deferrable; });
  if (unchecked != table.uniques.end()) {
    return absl::StrCat("it has the deferrable exclusion constraint ", unchecked->name,
                        ", which cannot be checked in a restore; make it NOT DEFERRABLE, or leave "
                        "the table out");
  }
  if (!table.part_deferrables.empty()) {
    return absl::StrCat("a single partition has deferrable constraints (",
                        absl::StrJoin(table.part_deferrables, ", "),
                        "), which cannot be checked in a restore; make them NOT DEFERRABLE or "
                        "constraints of the whole table, or leave the table out");
  }
  return "";
}

}  // namespace reinstate

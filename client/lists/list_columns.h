#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/lists/list_table.h"

namespace reinstate {

// Which columns of a list are read, from 0.
struct ListColumns {
  size_t tenant = 0;
  std::optional<size_t> store;
  std::optional<size_t> note;
  std::optional<size_t> input;
  bool titles_in_first_row = false;
  bool resolved = false;    // TenantList::resolved
  std::string description;  // for people: 'column 2, "site_id"'
  std::string notice;       // what one may doubt of the first row, a sentence; else empty
};

// The columns of `table`, which has a row. The tenant's is `options.column`: a title (case, spaces,
// dashes and underscores do not count) or a number from 1, after which the first row is titles only
// if it has known ones; if that is empty the only one, or the one whose title says most surely that
// it names tenants: ids before names. That of the notes is `options.note`, likewise, or the one
// with that title. INVALID_ARGUMENT, with the columns that there are, if there is no such column,
// or none or several may be meant.
absl::StatusOr<ListColumns> ChooseColumns(const ListTable& table, const ListOptions& options);

// Whether one of the fields is a title that names tenants.
bool HasKnownTitle(const std::vector<std::string>& fields);

}  // namespace reinstate

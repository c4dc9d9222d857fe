#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "storage/live/postgres/ownership.h"
#include "storage/live/postgres/row_codec.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

// What writing to one table for one tenant needs to know. Immutable.
struct WriteTarget {
  const PgTenantMap* map = nullptr;
  const PgTablePlan* plan = nullptr;
  const PgTable* table = nullptr;
  TenantId tenant = TenantId::Ownerless();
  std::vector<const PgColumn*> columns;  // of a payload
  size_t owner_field = 0;                // if it is owned by a column of its own
  RowCodec codec{RowLayout{}};
  // The fields of unique indexes but the key's, which the server looks at row by row.
  std::vector<std::vector<size_t>> unique_fields;

  // The table of `plan`, which `map` has. `map` outlives it.
  static std::unique_ptr<const WriteTarget> Make(const PgTenantMap* map, const PgTablePlan& plan,
                                                 TenantId tenant);

  // INTERNAL if the fields of a payload say that it is another tenant's; UNSUPPORTED if they are
  // not as many as the table has columns.
  absl::Status CheckOwner(const std::vector<std::string_view>& fields) const;

  // True of rows t that may be touched, in a form that no index serves: rows are to be found by
  // their keys. A path may end at a parent that was deleted a moment ago, but not at another
  // tenant's.
  std::string TouchableSql() const;

  // LIVE_CHANGED: rows are not as a change says.
  absl::Status NotAsSaid() const;

  // Whether a unique constraint or index of that name is the key's.
  bool IsKey(std::string_view constraint) const;
};

}  // namespace reinstate

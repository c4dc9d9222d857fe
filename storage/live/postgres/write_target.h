#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
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
  // The column of the payload that says whose a row is; none if a path, an expression or a
  // generated column does.
  std::optional<size_t> owner_field;
  // Those of the first step of its path, if it has one whose columns are all in a payload.
  std::vector<size_t> step_fields;
  RowCodec codec{RowLayout{}};
  // The fields of unique indexes but the key's, which the server looks at row by row.
  std::vector<std::vector<size_t>> unique_fields;
  // The fields that other indexes of that kind depend on: those with an expression, a predicate or
  // a generated column, and exclusion constraints.
  std::vector<std::vector<size_t>> exclusive_fields;
  std::vector<size_t> fixed_fields;  // no UPDATE may set them

  // The table of `plan`, which `map` has. `map` outlives it.
  static std::unique_ptr<const WriteTarget> Make(const PgTenantMap* map, const PgTablePlan& plan,
                                                 TenantId tenant);

  // Whether replacements are to be looked at all at once, since values may change places.
  bool has_exclusive_values() const { return !unique_fields.empty() || !exclusive_fields.empty(); }

  // Whether the fields of a payload say by themselves that it is the tenant's; if not, the server
  // is to be asked once it has been written (a path, or an id in another spelling). INTERNAL if
  // they say that it is another's; UNSUPPORTED if they are not as many as the table has columns.
  absl::StatusOr<bool> SaysOwner(const std::vector<std::string_view>& fields) const;

  // True of rows t that may be touched, in a form that no index serves: rows are to be found by
  // their keys. A path may end at a parent that was deleted a moment ago, as may what an expression
  // looks up, but not at another tenant's.
  std::string TouchableSql() const;

  // LIVE_CHANGED: rows are not as a change says.
  absl::Status NotAsSaid() const;

  // Whether a unique constraint or index of that name is the key's.
  bool IsKey(std::string_view constraint) const;
};

}  // namespace reinstate

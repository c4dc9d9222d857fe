#pragma once

#include <array>
#include <string>
#include <string_view>

namespace reinstate {

// The tables of the ticket tracker in PostgreSQL that belong to sites, parents first.
enum class SiteTable {
  kSites,
  kUsers,
  kProjects,
  kIssues,
  kComments,
  kAttachments,
  kWorklogs,
  kChanges
};

struct SiteTableInfo {
  SiteTable table;
  std::string_view name;
  std::string_view columns;  // all that are not generated, in their order
  int key_columns;           // the first ones of them
  std::string_view owned;    // a SELECT of its rows with their site, as `owner`
};

inline constexpr size_t kSiteTables = 8;
extern const std::array<SiteTableInfo, kSiteTables> kSiteTableInfos;
const SiteTableInfo& InfoOf(SiteTable table);

// Besides these: `plans`, which all sites share and refer to, and `notifications`, a queue that
// nobody wants back, which a trigger fills: each row says which role caused it.

// Makes the tables, without what is quicker made when the rows are there.
std::string SiteTablesSql();

// Makes indexes, keys and foreign keys: composite ones, a cycle of a table with itself, and those
// of a partitioned table.
std::string SiteConstraintsSql();

// Makes the triggers: `updated_at` of issues, and the queue of notifications. Both must stay silent
// when a tenant is restored.
std::string SiteTriggersSql();

}  // namespace reinstate

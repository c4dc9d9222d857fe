#include "client/lists/list_columns.h"

#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/lists/cell_text.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// How surely a title says that its column names tenants, the best first. Two columns of the same
// rank are not guessed about: an `id` beside a `customer_id` may be that of an order.
enum class Rank { kTenantId, kTenant, kId, kCustomer, kName, kUnknown };

struct KnownTitle {
  std::string_view title;  // as TitleKey
  Rank rank;
};

constexpr std::array<KnownTitle, 33> kKnownTitles = {{
    {"tenantid", Rank::kTenantId},
    {"tenant", Rank::kTenant},
    {"id", Rank::kId},
    {"customerid", Rank::kId},
    {"siteid", Rank::kId},
    {"accountid", Rank::kId},
    {"clientid", Rank::kId},
    {"companyid", Rank::kId},
    {"orgid", Rank::kId},
    {"organisationid", Rank::kId},
    {"organizationid", Rank::kId},
    {"workspaceid", Rank::kId},
    {"projectid", Rank::kId},
    {"customer", Rank::kCustomer},
    {"site", Rank::kCustomer},
    {"account", Rank::kCustomer},
    {"client", Rank::kCustomer},
    {"company", Rank::kCustomer},
    {"org", Rank::kCustomer},
    {"organisation", Rank::kCustomer},
    {"organization", Rank::kCustomer},
    {"workspace", Rank::kCustomer},
    {"name", Rank::kName},
    {"label", Rank::kName},
    {"tenantname", Rank::kName},
    {"customername", Rank::kName},
    {"sitename", Rank::kName},
    {"accountname", Rank::kName},
    {"clientname", Rank::kName},
    {"companyname", Rank::kName},
    {"organisationname", Rank::kName},
    {"organizationname", Rank::kName},
    {"workspacename", Rank::kName},
}};

constexpr size_t kMaxColumnsTold = 20;
constexpr int32_t kMaxTitleBytes = 40;

// What of a title counts: "Tenant-ID", "tenant_id" and "tenantId" are the same.
std::string TitleKey(std::string_view title) {
  std::string key;
  for (const char c : TrimmedCell(title)) {
    if (c != ' ' && c != '_' && c != '-' && c != '.') {
      key += absl::ascii_tolower(static_cast<unsigned char>(c));
    }
  }
  return key;
}

Rank RankOf(std::string_view title) {
  const std::string key = TitleKey(title);
  const auto* known = std::find_if(kKnownTitles.begin(), kKnownTitles.end(),
                                   [&](const KnownTitle& entry) { return entry.title == key; });
  return known == kKnownTitles.end() ? Rank::kUnknown : known->rank;
}

// `title` in quotes, cut if it is long.
std::string Quoted(std::string_view title) {
  const std::string_view text = TrimmedCell(title);
  auto size = static_cast<int32_t>(text.size());
  const bool cut = size > kMaxTitleBytes;
  if (cut) {
    size = kMaxTitleBytes;
    U8_SET_CP_START(reinterpret_cast<const uint8_t*>(text.data()), 0, size);
  }
  const std::string_view shown = text.substr(0, static_cast<size_t>(size));
  return absl::StrCat("\"", std::string(shown), cut ? "…\"" : "\"");
}

absl::Status Refused(std::string_view what, const std::vector<std::string>& first) {
  std::vector<std::string> told;
  for (size_t i = 0; i < std::min(first.size(), kMaxColumnsTold); ++i) {
    told.push_back(absl::StrCat(i + 1, " ", Quoted(first[i])));
  }
  return MakeError(
      Reason::kInvalidArgument,
      absl::StrCat(std::string(what),
                   "; give --column with a title, or with a number where there are no titles: ",
                   absl::StrJoin(told, ", "),
                   first.size() > kMaxColumnsTold
                       ? absl::StrCat(" and ", first.size() - kMaxColumnsTold, " more.")
                       : "."));
}

std::vector<size_t> ColumnsWithTitle(const std::vector<std::string>& titles,
                                     std::string_view wanted) {
  const std::string key = TitleKey(wanted);
  std::vector<size_t> found;
  for (size_t i = 0; i < titles.size() && !key.empty(); ++i) {
    if (TitleKey(titles[i]) == key) {
      found.push_back(i);
    }
  }
  return found;
}

// The column of a number from 1.
absl::StatusOr<size_t> NumberedColumn(const std::vector<std::string>& first,
                                      const std::string& wanted) {
  int64_t number = 0;
  if (!absl::SimpleAtoi(wanted, &number) || number < 1 ||
      number > static_cast<int64_t>(first.size())) {
    return Refused(absl::StrCat("The list has no column ", Quoted(wanted)), first);
  }
  return static_cast<size_t>(number - 1);
}

// A column that somebody asked for.
struct GivenColumn {
  size_t column = 0;
  bool by_title = false;
};

absl::StatusOr<GivenColumn> FindGiven(const std::vector<std::string>& first,
                                      const std::string& wanted) {
  const std::vector<size_t> named = ColumnsWithTitle(first, wanted);
  if (named.size() > 1) {
    return Refused(absl::StrCat("Several columns of the list have the title ", Quoted(wanted)),
                   first);
  }
  if (!named.empty()) {
    return GivenColumn{.column = named.front(), .by_title = true};
  }
  ASSIGN_OR_RETURN(const size_t column, NumberedColumn(first, wanted));
  return GivenColumn{.column = column, .by_title = false};
}

absl::StatusOr<size_t> ColumnByRank(const std::vector<std::string>& first) {
  Rank best = Rank::kUnknown;
  std::vector<size_t> found;
  for (size_t i = 0; i < first.size(); ++i) {
    const Rank rank = RankOf(first[i]);
    if (rank < best) {
      best = rank;
      found.clear();
    }
    if (rank == best && rank != Rank::kUnknown) {
      found.push_back(i);
    }
  }
  if (found.size() == 1 || first.size() == 1) {
    return found.empty() ? 0 : found.front();
  }
  return Refused(found.empty() ? "Which column of the list names the tenants cannot be told"
                               : "Several columns of the list may name the tenants",
                 first);
}

// Whether the columns are those that `batch resolve` writes, and the tenant's is that of the ids.
bool IsResolved(const std::vector<std::string>& titles, size_t tenant) {
  return TitleKey(titles[tenant]) == "id" && !ColumnsWithTitle(titles, "input").empty() &&
         !ColumnsWithTitle(titles, "match").empty() &&
         !ColumnsWithTitle(titles, "candidates").empty();
}

std::optional<size_t> OtherColumn(const std::vector<std::string>& titles, std::string_view title,
                                  size_t tenant) {
  for (const size_t column : ColumnsWithTitle(titles, title)) {
    if (column != tenant) {
      return column;
    }
  }
  return std::nullopt;
}

}  // namespace

bool HasKnownTitle(const std::vector<std::string>& fields) {
  return std::any_of(fields.begin(), fields.end(),
                     [](const std::string& field) { return RankOf(field) != Rank::kUnknown; });
}

absl::StatusOr<ListColumns> ChooseColumns(const ListTable& table, const ListOptions& options) {
  const bool beside = !table.titles.empty();
  const std::vector<std::string>& first = beside ? table.titles : table.rows.front().fields;
  ListColumns columns;
  bool titled = beside || HasKnownTitle(first);
  if (options.column.empty()) {
    ASSIGN_OR_RETURN(columns.tenant, ColumnByRank(first));
  } else {
    ASSIGN_OR_RETURN(const GivenColumn given, FindGiven(first, options.column));
    columns.tenant = given.column;
    titled = titled || given.by_title;
  }
  if (!options.note.empty()) {
    ASSIGN_OR_RETURN(const GivenColumn given, FindGiven(first, options.note));
    columns.note = given.column;
    titled = titled || given.by_title;
  }
  columns.titles_in_first_row = titled && !beside;
  if (titled) {
    columns.store = OtherColumn(first, "store", columns.tenant);
    columns.input = OtherColumn(first, "input", columns.tenant);
    columns.resolved = IsResolved(first, columns.tenant);
  }
  if (titled && !columns.note.has_value()) {
    columns.note = OtherColumn(first, "note", columns.tenant);
  }
  columns.description = absl::StrCat("column ", columns.tenant + 1);
  if (titled) {
    absl::StrAppend(&columns.description, ", ", Quoted(first[columns.tenant]));
  } else if (!options.column.empty()) {
    columns.notice =
        absl::StrCat("Line ", table.rows.front().line, " is taken for the tenant ",
                     Quoted(first[columns.tenant]),
                     "; if that is a title, give it to --column instead of ", options.column, ".");
  }
  return columns;
}

}  // namespace reinstate

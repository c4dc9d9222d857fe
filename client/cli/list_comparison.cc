#include "client/cli/list_comparison.h"

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/humanize.h"
#include "client/cli/list_resolution.h"
#include "client/cli/restore_views.h"
#include "client/cli/words.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// What a list and the data say of a tenant together, in the order in which people need to look.
enum class Finding { kUnresolved, kNotGone, kNotListed, kGone };

struct FindingInfo {
  Finding finding;
  const char* word;
  const char* of_one;  // a sentence after their number
  const char* of_several;
  Style style;
};

constexpr std::array<FindingInfo, 4> kFindings = {{
    {Finding::kUnresolved, "unresolved", "means nobody for sure", "mean nobody for sure",
     Style::kBad},
    {Finding::kNotGone, "not-gone", "is on the list and not gone", "are on the list and not gone",
     Style::kWarning},
    {Finding::kNotListed, "not-listed", "is gone and not on the list",
     "are gone and not on the list", Style::kBad},
    {Finding::kGone, "gone", "is on the list and gone", "are on the list and gone", Style::kPlain},
}};

const FindingInfo& InfoOf(Finding finding) { return kFindings.at(static_cast<size_t>(finding)); }

Finding FindingOf(const v1::TenantResolution& resolution) {
  switch (resolution.match()) {
    case v1::TENANT_RESOLUTION_KIND_UNSPECIFIED:
      return Finding::kNotListed;
    case v1::TENANT_RESOLUTION_KIND_EXACT:
    case v1::TENANT_RESOLUTION_KIND_NORMALISED:
      return resolution.loss() == v1::TENANT_LOSS_UNSPECIFIED ? Finding::kNotGone : Finding::kGone;
    default:
      return Finding::kUnresolved;
  }
}

Fields<v1::TenantResolution> ComparisonFields(const ResolvedList& resolved) {
  using Resolution = v1::TenantResolution;
  Fields<Resolution> fields = {
      {"FINDING",
       [](const Resolution& r) {
         const FindingInfo& info = InfoOf(FindingOf(r));
         return TextValue(info.word, info.style);
       }},
      {"LOSS", [](const Resolution& r) { return TextValue(WordFor(r.loss())); }},
  };
  for (Field<Resolution>& field : ResolutionFields(resolved)) {
    fields.push_back(std::move(field));
  }
  // A tenant that no line means has none.
  fields[2].value = [](const Resolution& r) {
    return FindingOf(r) == Finding::kNotListed ? TextValue("") : CountValue(r.line());
  };
  return fields;
}

// The lines and those who are lost, the findings one after the other.
std::vector<v1::TenantResolution> Ordered(const ResolvedList& resolved) {
  std::vector<v1::TenantResolution> all = ResolutionsOf(resolved);
  all.insert(all.end(), resolved.lost.begin(), resolved.lost.end());
  std::vector<v1::TenantResolution> ordered;
  ordered.reserve(all.size());
  for (const FindingInfo& info : kFindings) {
    for (const v1::TenantResolution& resolution : all) {
      if (FindingOf(resolution) == info.finding) {
        ordered.push_back(resolution);
      }
    }
  }
  return ordered;
}

void SayCounts(const std::vector<v1::TenantResolution>& all, const Console& console) {
  std::array<int64_t, kFindings.size()> counts = {};
  for (const v1::TenantResolution& resolution : all) {
    ++counts.at(static_cast<size_t>(FindingOf(resolution)));
  }
  for (const FindingInfo& info : kFindings) {
    const int64_t count = counts.at(static_cast<size_t>(info.finding));
    console.Say(
        absl::StrCat(HumanCount(count), " ", count == 1 ? info.of_one : info.of_several, "."));
  }
}

}  // namespace

absl::Status CompareListWithData(const TenantListFile& file, const ListComparisonOptions& options,
                                 Session& session) {
  const Console& console = session.console();
  ASSIGN_OR_RETURN(const TenantList list, ReadTenantListFile(file, console));
  ResolveOptions resolve;
  ASSIGN_OR_RETURN(resolve.store, session.StoreOrOnlyOne(options.store));
  resolve.at = options.at;
  resolve.count_live = true;
  resolve.with_lost = true;
  resolve.lost_fraction = options.lost_fraction;
  ASSIGN_OR_RETURN(const ResolvedList resolved, ResolveList(list, resolve, session));
  SayListNotices(list, resolved, console);
  if (resolved.point.has_instant()) {
    console.Say(PointSentence(resolved.point, session.now()));
  }
  const std::vector<v1::TenantResolution> all = Ordered(resolved);
  SayCounts(all, console);
  return session.output().List(all, ComparisonFields(resolved), "");
}

}  // namespace reinstate

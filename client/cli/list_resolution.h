#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/output.h"
#include "client/cli/session.h"
#include "client/lists/tenant_list.h"
#include "reinstate/v1/tenant_service.pb.h"

namespace reinstate {

// A line of a list, and the tenant that it means.
struct ResolvedLine {
  // With the line's number and text. NONE for a line with a `fault`.
  v1::TenantResolution resolution;
  std::string text;  // what was to be resolved: an id or a name
  std::string note;
  std::string fault;  // why the line itself is wrong, as a sentence; else empty
};

// A list with the tenants that its lines mean.
struct ResolvedList {
  std::string store;
  v1::Point point;
  std::vector<ResolvedLine> lines;         // ascending
  std::vector<v1::TenantResolution> lost;  // with_lost: who lost data and is on no line
};

// What to resolve a list in.
struct ResolveOptions {
  std::string store;
  std::string at;
  bool count_live = false;
  bool with_lost = false;
  double lost_fraction = 0;  // of ResolveTenantsRequest
  bool any_store = false;    // lines may name other stores than `store`: those of a group
};

// Resolves `list`, by as many calls of ResolveTenants as it needs, all for the same point. A line
// that names another store is a fault. Errors are those of the call; INVALID_ARGUMENT if no line
// names a tenant.
absl::StatusOr<ResolvedList> ResolveList(const TenantList& list, const ResolveOptions& options,
                                         Session& session);

// Whether a line means one tenant for sure: EXACT or NORMALISED.
bool IsResolved(const ResolvedLine& line);

// Whom a line may mean, for people: `1001 "Acme Corp" 0.75; …`. Printable.
std::string CandidatesText(const v1::TenantResolution& resolution);

// The lines as a list: line, input, match, id, label, rows at point, rows live, candidates, note;
// as CSV it can be read as a list again. `resolved` must outlive the fields.
Fields<v1::TenantResolution> ResolutionFields(const ResolvedList& resolved);

// The resolutions of the lines.
std::vector<v1::TenantResolution> ResolutionsOf(const ResolvedList& resolved);

// Says on stderr what a person must know of the list: how it was read, repeated lines, faults.
void SayListNotices(const TenantList& list, const ResolvedList& resolved, const Console& console);

// Says on stderr how many lines matched in which way.
void SayMatches(const ResolvedList& resolved, const Console& console);

}  // namespace reinstate

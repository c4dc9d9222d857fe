#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "server/snapshot/tenant_roster.h"

namespace reinstate {

// What a text of a list says of which tenant it means.
enum class ResolutionKind {
  kExact,       // one tenant's id, or a label of one tenant only, byte by byte
  kNormalised,  // after Unicode normalisation the id or a label of one tenant only
  kAmbiguous,   // ids or labels of several tenants
  kSimilar,     // none, but some are much like it
  kNone,
};

// A tenant that a text may mean.
struct ResolutionCandidate {
  uint32_t entry = 0;     // in the roster
  double similarity = 0;  // in (0, 1]; 1 for exact and normalised
};

// A text, resolved.
struct ResolvedText {
  ResolutionKind kind = ResolutionKind::kNone;
  // Best first. If the kind is kExact or kNormalised the first is the one that is meant, and the
  // others have the same name, but not as surely.
  std::vector<ResolutionCandidate> candidates;
  bool more_candidates = false;     // than ResolveLimits::max_candidates
  bool similar_not_sought = false;  // beyond ResolveLimits::max_sought
};

struct ResolveLimits {
  size_t max_candidates = 5;
  // For so many different texts that nobody has as a name, similar names are sought: each is
  // compared with all names. A list of which more are unknown is probably another list.
  size_t max_sought = 500;
};

// Finds the tenants that `texts` mean, in their order. An id goes before labels: it has to be
// possible to name each tenant. Otherwise what several tenants have as a name, now or in an earlier
// visible snapshot, is ambiguous; exact names go before normalised ones. What is only similar is
// never taken.
std::vector<ResolvedText> ResolveTexts(const TenantRoster& roster,
                                       const std::vector<std::string>& texts,
                                       const ResolveLimits& limits);

}  // namespace reinstate

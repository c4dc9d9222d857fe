#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/session.h"
#include "reinstate/v1/restore.pb.h"

namespace reinstate {

// Limits `spec` to all tables but those `without`: to all others of its point, empty ones too, and
// to all others of the live store that belong to tenants, or of which that is not known, so that
// the daemon asks for the same consents as without a limit. Tables that were renamed since the
// point are left out by either name. Pins `spec` to the snapshot that its point means now, since
// another one may have other tables.
//
// TABLE_NOT_FOUND if one of `without` is not among them; INVALID_ARGUMENT if no table is left; else
// as ResolvePoint, GetSnapshot and DiscoverStore. `spec` is as it was after a failure.
absl::Status LimitToTablesBut(const std::vector<std::string>& without, Session& session,
                              v1::RestoreSpec* spec);

}  // namespace reinstate

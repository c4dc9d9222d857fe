#pragma once

#include <string>

#include "reinstate/v1/batch_service.pb.h"
#include "reinstate/v1/catalog.pb.h"
#include "reinstate/v1/job_service.pb.h"
#include "reinstate/v1/restore.pb.h"
#include "reinstate/v1/snapshot_service.pb.h"
#include "reinstate/v1/store_service.pb.h"
#include "reinstate/v1/tenant_service.pb.h"

namespace reinstate {

// The words for the enums of the wire, for people: "SUCCEEDED" in lower case with dashes. A value
// that this program does not know is given as its number.
std::string WordFor(v1::RestoreState value);
std::string WordFor(v1::RestorePhase value);
std::string WordFor(v1::RestoreMode value);
std::string WordFor(v1::RestoreKind value);
std::string WordFor(v1::RowAction value);
std::string WordFor(v1::PlanState value);
std::string WordFor(v1::JobState value);
std::string WordFor(v1::JobKind value);
std::string WordFor(v1::SnapshotState value);
std::string WordFor(v1::StoreState value);
std::string WordFor(v1::AdapterKind value);
std::string WordFor(v1::TableRelation value);
std::string WordFor(v1::TenantLoss value);
std::string WordFor(v1::TenantMatchKind value);
std::string WordFor(v1::TenantResolutionKind value);
std::string WordFor(v1::BatchState value);
std::string WordFor(v1::BatchLineState value);

// What a conflict is, as a clause: "its key belongs to somebody else now".
std::string SentenceFor(const v1::Conflict& conflict);

// The mode that --mode names; CREATE_MISSING for any other word.
v1::RestoreMode ModeNamed(const std::string& word);

// Whether rows that are there now can be replaced or deleted.
bool CanDestroy(v1::RestoreMode mode);

// What a mode does, as a clause.
std::string SentenceFor(v1::RestoreMode value);

// The tenant as people read it: id, and the label in quotes if there is one.
std::string NameOf(const v1::TenantRef& tenant);

}  // namespace reinstate

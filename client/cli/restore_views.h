#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cli/output.h"
#include "client/cli/session.h"
#include "reinstate/v1/restore.pb.h"

namespace reinstate {

// Who it was, and whether that is only what the client said.
std::string ActorText(const v1::Actor& actor);

// What a point resolved to and how far that is from what was asked for, as a sentence.
std::string PointSentence(const v1::Point& point, absl::Time now);

// "12 inserted, 0 replaced, 3 deleted, 40 unchanged, 0 kept", and conflicts if there are any.
std::string ActionsText(const v1::RowActions& actions);

// `text` as one word of a shell's command line.
std::string ShellWord(const std::string& text);

// The restores of a list.
Fields<v1::Restore> RestoreListFields(absl::Time now);

// Writes one restore: for people line by line, as CSV as in a list.
absl::Status PrintRestore(const v1::Restore& restore, const Session& session);

// How `restore` has ended, as a status; where a person must settle it, says how on stderr.
absl::Status ReportOutcome(const v1::Restore& restore, const Session& session);

// Writes a plan that is READY: for people a report with the command that carries it out, as CSV its
// tables, as JSON the plan.
absl::Status PrintPlan(const v1::Plan& plan, const Session& session);

// The rows that `plan` replaces and deletes and where, for a confirmation.
std::vector<std::string> DestructionFacts(const v1::Plan& plan, const Session& session);

// Writes a certificate: for people a report, as CSV its tables, as JSON the certificate.
absl::Status PrintCertificate(const v1::Certificate& certificate, const Session& session);

// `status`, and if it says that there is no such tenant: with the tenants whose id or label is like
// `tenant`, and the command that finds more. Costs a call in that case only.
absl::Status WithCandidates(Session& session, const absl::Status& status, const std::string& store,
                            const std::string& tenant);

}  // namespace reinstate

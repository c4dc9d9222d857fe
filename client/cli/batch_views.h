#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cli/output.h"
#include "client/cli/session.h"
#include "reinstate/v1/batch_service.pb.h"

namespace reinstate {

// The tenant of a line as people read it, with the line's text where that is something else:
// `1001 "Acme Corp"`; only the text, in quotes, if it names no tenant.
std::string NameOf(const v1::BatchLine& line);

// "restored", or what else a line of `batch` has become that has succeeded.
std::string SuccessWord(const v1::Batch& batch);

// "412 of 883 customers restored".
std::string CustomersText(const v1::Batch& batch);

// What the other customers are: "8 running, 460 queued, 3 failed, 2 left out"; empty if nothing.
std::string RestText(const v1::BatchCounts& lines);

// What a line that runs does now: "main: applying 48 %".
std::string DoingText(const v1::BatchLine& line);

// Why a line was left out, failed or was cancelled: "TENANT_BUSY: …"; empty if nothing is wrong.
std::string ProblemText(const v1::BatchLine& line);

// "3 customers have no data in store wiki at the point"; empty if all have data in all stores.
std::string AbsencesText(const v1::Batch& batch);

// "no data in store wiki at the point"; empty if the tenant of the line has data in all stores.
std::string AbsenceText(const v1::BatchLine& line);

// How long a dry run that is PLANNED, or what is left of a batch, is expected to take, and by what:
// "3 min to 5 min, by the last 40 restores of store main", "not known yet: no restore of store main
// has been measured yet"; empty if nothing is said of it.
std::string ExpectedTimeText(const v1::Batch& batch);

// Why a restore of the line waits for others of the batch; empty if none does.
std::string HeldBackText(const v1::BatchLine& line);

// The command that lets a batch go on that waits for a person; empty if it does not.
std::string GoOnCommand(const v1::Batch& batch);

// The point of a batch as a text that means the same later: of a group a time, as each of its
// stores has snapshots of its own.
std::string PointText(const v1::Batch& batch);

// What one of its restores is told on a command line: tenant, store, snapshot and mode.
std::string RestoreWords(const v1::Batch& batch, const v1::BatchLineRestore& restore);

// The command that plans one of its restores anew: in the same store, from the same snapshot.
std::string PlanCommand(const v1::Batch& batch, const v1::BatchLineRestore& restore);

// The mode of a batch; CREATE_MISSING where none was asked for.
v1::RestoreMode ModeOf(const v1::Batch& batch);

// The batches of a list.
Fields<v1::Batch> BatchListFields(absl::Time now);

// The lines of a batch: line, input, id, label, state, duration, rows, certificate, reason,
// message, note, and the stores in which the tenant has no data at the point. What `batch summary`
// writes.
Fields<v1::BatchLine> BatchSummaryFields();

// Writes one batch: for people a report, of a dry run with the command that carries it out; as CSV
// as in a list.
absl::Status PrintBatch(const v1::Batch& batch, Session& session);

// Writes a dry run that is PLANNED: what would happen in all, the largest, conflicts, time, digest
// and the command that does exactly that; as CSV as in a list. Asks the daemon for the lines with
// conflicts.
absl::Status PrintBatchPlan(const v1::Batch& batch, Session& session);

}  // namespace reinstate

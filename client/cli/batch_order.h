#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/batch_problems.h"
#include "client/cli/list_resolution.h"
#include "client/cli/session.h"
#include "client/cli/tenant_list_file.h"
#include "reinstate/v1/batch_service.pb.h"

namespace reinstate {

// Of lines whose text may be the id of a tenant that only other stores of a group have: their
// numbers, with the problem that they have if it is not.
using UnknownLines = std::map<int64_t, v1::Failure>;

// The lines of a list as a batch takes them. Those that name nobody for sure are sent with that as
// their problem, so that they stay in every summary. With `unknown`, which is for a group, those of
// whom the store in which the list was resolved knows no such id nor name are sent as they are, for
// the daemon to look in the other stores.
std::vector<v1::BatchLineSpec> LineSpecsOf(const ResolvedList& list, UnknownLines* unknown);

// Gives those of `lines` the problem that `unknown` has for them which the daemon found wrong.
void LeaveOutUnknown(const std::vector<v1::BatchLine>& found_wrong, const UnknownLines& unknown,
                     google::protobuf::RepeatedPtrField<v1::BatchLineSpec>* lines);

// What the next commands are about while there is no batch: `list` of `file`, `store` (empty: the
// only one) and the point `at`.
ProblemContext ContextOf(const TenantListFile& file, const TenantList& list,
                         const std::string& store, const std::string& at);

// Lines of a request.
using LineSpecs = google::protobuf::RepeatedPtrField<v1::BatchLineSpec>;

// Has the daemon check lines (`validate_only`).
using CheckLines = std::function<absl::StatusOr<v1::Batch>(const LineSpecs& lines)>;

// The lines of which the daemon says that they are wrong, by what it has `checked` of `lines`. It
// lists only so many at once: the others are checked `again` until all are known, which costs a
// call each. An error is that of the call.
absl::StatusOr<std::vector<v1::BatchLine>> FoundWrong(const v1::Batch& checked, LineSpecs lines,
                                                      const CheckLines& again);

// What a check of lines has shown.
struct LineCheck {
  std::vector<v1::BatchLineSpec> sent;
  std::vector<v1::BatchLine> found_wrong;
};

// The number of lines that can be restored. Lists on stderr what is wrong with the others, grouped
// by reason with the next command for each. BATCH_LINES_INVALID if there are some and
// `skip_invalid` is not set, or if none is left; for programs each of them is on stdout then.
absl::StatusOr<int64_t> CountValidLines(const LineCheck& check, bool skip_invalid,
                                        ProblemContext context, const Session& session);

// What a person agrees to before a batch begins or is taken back.
struct BatchConsent {
  std::vector<std::string> facts;  // what will happen and where, a line each
  int64_t count = 0;               // of customers, which is typed
  std::string digest;              // that can be given in place of the count; empty: none
  std::string given;               // of --confirm; empty if it was not given
};

// Whether `text` is written as a digest is, and no count.
bool IsDigest(const std::string& text);

// OK if the count or the digest was given, or the count is typed. DECLINED otherwise.
absl::Status ConfirmBatch(const BatchConsent& consent, const Console& console);

// The facts of a batch that restores `count` customers, as far as `batch` says them: a check, a dry
// run with what it replaces and deletes, or the batch itself.
std::vector<std::string> BatchFacts(const v1::Batch& batch, int64_t count, const Session& session);

// Plans `request` and waits for it: a dry run that is PLANNED.
absl::StatusOr<v1::Batch> PlanBatch(v1::CreateBatchRequest request, Session& session);

}  // namespace reinstate

#include "server/restore/evidence.h"

#include <algorithm>
#include <utility>

#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr int64_t kSampleRows = 64;

enum class RowVerdict { kAsLeft, kAsBefore, kNeither };

RowVerdict JudgeRow(const state::Evidence::Row& row, const KeyState& live) {
  if (live.owner == KeyOwner::kOtherTenant) {
    return RowVerdict::kNeither;
  }
  const std::string hash = live.payload.has_value() ? RowHash(row.key(), *live.payload) : "";
  if (hash == row.new_hash()) {
    return RowVerdict::kAsLeft;
  }
  return hash == row.old_hash() ? RowVerdict::kAsBefore : RowVerdict::kNeither;
}

struct Verdicts {
  int64_t proofs = 0;  // insertions and replacements that are as left, and can only be ours
  int64_t deleted_as_left = 0;
  int64_t as_before = 0;
  int64_t written = 0;
};

bool IsAllKeyIn(const TenantMap& map, const std::string& table) {
  const MappedTable* const found = map.Find(table);
  return found != nullptr && IsAllKey(found->schema);
}

absl::StatusOr<Verdicts> JudgeRows(const state::Evidence& evidence, const TenantMap& map,
                                   TenantSession* session) {
  Verdicts verdicts;
  for (const state::Evidence::Row& row : evidence.rows()) {
    const std::vector<RowKey> keys = {RowKey(row.key())};
    ASSIGN_OR_RETURN(const std::vector<KeyState> states, session->LookUp(row.table(), keys));
    if (states.size() != 1) {
      return MakeError(Reason::kInternal,
                       "the store answered for another number of keys than it was asked");
    }
    const RowVerdict verdict = JudgeRow(row, states[0]);
    const bool deletion = row.new_hash().empty();
    verdicts.written += deletion ? 0 : 1;
    const bool is_proof =
        !deletion && verdict == RowVerdict::kAsLeft && !IsAllKeyIn(map, row.table());
    verdicts.proofs += is_proof ? 1 : 0;
    verdicts.deleted_as_left += deletion && verdict == RowVerdict::kAsLeft ? 1 : 0;
    verdicts.as_before += verdict == RowVerdict::kAsBefore ? 1 : 0;
  }
  return verdicts;
}

}  // namespace

bool IsAllKey(const TableSchema& schema) {
  const auto in_key = std::count_if(schema.columns.begin(), schema.columns.end(),
                                    [](const Column& column) { return column.in_key; });
  return !schema.columns.empty() &&
         (in_key == 0 || in_key == static_cast<std::ptrdiff_t>(schema.columns.size()));
}

EvidenceCollector::EvidenceCollector(int64_t deletions, int64_t writes)
    : of_writes_(writes > 0),
      stride_(std::max<int64_t>(1, (of_writes_ ? writes : deletions) / kSampleRows)) {}

void EvidenceCollector::Add(const Action& action, const std::string& table, bool is_all_key) {
  const bool write = action.kind != ChangeKind::kDelete;
  if (write != of_writes_) {
    return;
  }
  const bool is_first_proof = write && !is_all_key && !has_proof_;
  if (seen_++ % stride_ != 0 && !is_first_proof) {
    return;
  }
  has_proof_ = has_proof_ || is_first_proof;
  state::Evidence::Row* row = evidence_.add_rows();
  row->set_table(table);
  row->set_key(action.key);
  if (write) {
    row->set_new_hash(RowHash(action.key, action.new_payload));
  }
  if (action.kind != ChangeKind::kInsert) {
    row->set_old_hash(RowHash(action.key, action.old_payload));
  }
}

state::Evidence EvidenceCollector::Finish() && { return std::move(evidence_); }

absl::StatusOr<CommitOutcome> JudgeEvidence(const state::Evidence& evidence, const TenantMap& map,
                                            TenantSession* session) {
  ASSIGN_OR_RETURN(const Verdicts verdicts, JudgeRows(evidence, map, session));
  if (verdicts.proofs > 0) {
    return CommitOutcome::kCommitted;
  }
  if (verdicts.as_before == evidence.rows_size()) {
    // Also of a restore that changed nothing: to run it again does no harm.
    return CommitOutcome::kNotCommitted;
  }
  if (verdicts.written == 0 && verdicts.deleted_as_left == evidence.rows_size()) {
    return CommitOutcome::kCommitted;
  }
  return CommitOutcome::kNotKnown;
}

}  // namespace reinstate

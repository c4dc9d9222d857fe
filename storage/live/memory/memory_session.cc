#include "storage/live/memory/memory_session.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/memory/memory_streams.h"

namespace reinstate {

using Call = SessionPhase::Call;

MemorySession::MemorySession(MemoryState* state, TenantId tenant,
                             std::unique_ptr<TenantLocks::Held> lock)
    : state_(state), tenant_(std::move(tenant)), lock_(std::move(lock)) {}

absl::Status MemorySession::Begin() {
  return phase_.Run(Call::kBegin, [&]() -> absl::Status {
    RETURN_IF_ERROR(state_->Fault("live.begin"));
    view_ = state_->TakeView();
    rows_ = std::make_shared<TenantRows>(*view_.Tenant(tenant_));
    changes_.clear();
    return absl::OkStatus();
  });
}

absl::Status MemorySession::CheckTable(const std::string& table) const {
  const auto relation = state_->options().relations.find(table);
  if (!view_.tables.contains(table) || relation != state_->options().relations.end()) {
    return MakeError(Reason::kTableNotFound,
                     absl::StrCat("the store has no owned table \"", Printable(table), "\""));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RecordStream>> MemorySession::ReadTable(const std::string& table) {
  return phase_.Run(Call::kRead, [&]() -> absl::StatusOr<std::unique_ptr<RecordStream>> {
    RETURN_IF_ERROR(CheckTable(table));
    return std::make_unique<MemoryRecordStream>(ShareTable(rows_, table), RowKey(), [this] {
      const absl::Status fault = state_->Fault("live.read");
      return fault.ok() ? phase_.CheckCancelled() : fault;
    });
  });
}

KeyState MemorySession::StateOf(const std::string& table, const RowKey& key) const {
  if (const std::string* payload = FindRow(*rows_, table, key); payload != nullptr) {
    return {.owner = KeyOwner::kThisTenant, .payload = *payload};
  }
  if (state_->options().keys_span_tenants) {
    const std::optional<std::string> owner = view_.OwnerOf(table, key);
    if (owner && *owner != tenant_.value()) {
      return {.owner = KeyOwner::kOtherTenant, .payload = std::nullopt};
    }
  }
  return {};
}

absl::StatusOr<std::vector<KeyState>> MemorySession::LookUp(const std::string& table,
                                                            std::span<const RowKey> keys) {
  return phase_.Run(Call::kRead, [&]() -> absl::StatusOr<std::vector<KeyState>> {
    RETURN_IF_ERROR(CheckTable(table));
    std::vector<KeyState> states;
    states.reserve(keys.size());
    for (const RowKey& key : keys) {
      states.push_back(StateOf(table, key));
    }
    return states;
  });
}

absl::Status MemorySession::Apply(const Change& change) {
  return phase_.Run(Call::kApply, [&] { return DoApply(change); });
}

absl::Status MemorySession::DoApply(const Change& change) {
  RETURN_IF_ERROR(state_->Fault("live.apply"));
  RETURN_IF_ERROR(CheckTable(change.table));
  const KeyState now = StateOf(change.table, change.key);
  if (now.owner == KeyOwner::kOtherTenant) {
    return MakeError(Reason::kKeyConflict,
                     absl::StrCat("a key of table \"", change.table, "\" is another tenant's"));
  }
  const bool is_as_said =
      change.kind == ChangeKind::kInsert ? !now.payload : now.payload == change.old_payload;
  if (!is_as_said) {
    return MakeError(Reason::kLiveChanged, absl::StrCat("a row of table \"", change.table,
                                                        "\" is not as the change says"));
  }
  std::optional<std::string> after;
  if (change.kind == ChangeKind::kDelete) {
    (*rows_)[change.table].erase(change.key);
  } else {
    after = change.new_payload;
    (*rows_)[change.table].insert_or_assign(change.key, change.new_payload);
  }
  const auto [place, is_new] = changes_.try_emplace(
      {change.table, change.key}, MemoryChange{.before = now.payload, .after = {}});
  place->second.after = std::move(after);
  return absl::OkStatus();
}

absl::StatusOr<CommitToken> MemorySession::Seal() {
  return phase_.Run(Call::kSeal, [&]() -> absl::StatusOr<CommitToken> {
    RETURN_IF_ERROR(state_->Fault("live.seal"));
    token_ = state_->NewToken();
    return CommitToken{.bytes = token_};
  });
}

absl::Status MemorySession::Commit(absl::Time deadline) {
  return phase_.Run(Call::kCommit, [&] { return DoCommit(deadline); });
}

absl::Status MemorySession::DoCommit(absl::Time deadline) {
  if (state_->options().clock->Now() >= deadline) {
    return MakeError(Reason::kDeadlineExceeded,
                     "the time for the commit was over before it began; nothing was changed");
  }
  RETURN_IF_ERROR(state_->Fault("live.before_commit"));
  RETURN_IF_ERROR(state_->Commit(tenant_, changes_, token_));
  if (absl::Status fault = state_->Fault("live.after_commit"); !fault.ok()) {
    return MakeError(Reason::kCommitUnknown, "the answer to the commit was lost");
  }
  return absl::OkStatus();
}

absl::Status MemorySession::Rollback() {
  changes_.clear();
  phase_.RolledBack();
  return absl::OkStatus();
}

absl::StatusOr<CommitOutcome> MemorySession::Resolve(const CommitToken& token) {
  return phase_.Run(Call::kResolve, [&]() -> absl::StatusOr<CommitOutcome> {
    if (!state_->options().resolves_tokens) {
      return CommitOutcome::kNotKnown;
    }
    // A token of this store that has not committed never will: its session has ended.
    if (!token.bytes.starts_with(absl::StrCat(state_->options().id, "/"))) {
      return CommitOutcome::kNotKnown;
    }
    return state_->IsCommitted(token.bytes) ? CommitOutcome::kCommitted
                                            : CommitOutcome::kNotCommitted;
  });
}

void MemorySession::Cancel() { phase_.Cancel(); }

}  // namespace reinstate

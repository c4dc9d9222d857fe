#include "storage/live/rocksdb/embedded_session.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/rocks/slices.h"

namespace reinstate {
namespace {

using Call = SessionPhase::Call;

// Longer than the 30 days for which a token can be resolved, whatever the clock does in between.
constexpr absl::Duration kKeepTokens = absl::Hours(24 * 90);
constexpr size_t kTokenBytes = 16;

// How many records a cursor steps over before it seeks.
constexpr int kMaxSteps = 8;

std::string NewTokenBytes() {
  std::random_device random;
  std::string bytes;
  while (bytes.size() < kTokenBytes) {
    const uint32_t word = random();
    bytes.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  return bytes;
}

absl::Status LiveChanged(absl::string_view what) {
  return MakeError(Reason::kLiveChanged, absl::StrCat(what, "; roll back and begin again"));
}

}  // namespace

EmbeddedSession::ViewCursor::ViewCursor(const GenerationView& view)
    : prefix_(EmbeddedKeyCodec::GenerationPrefix(view.tenant, view.generation)),
      target_(prefix_),
      reader_(view.db, view.db->records(),
              {.snapshot = view.snapshot,
               .begin = prefix_,
               .end = EmbeddedKeyCodec::GenerationPrefix(view.tenant, view.generation + 1)}) {}

absl::StatusOr<std::optional<std::string_view>> EmbeddedSession::ViewCursor::Find(
    std::string_view place) {
  const bool is_forward = place >= std::string_view(target_).substr(prefix_.size());
  target_.resize(prefix_.size());
  target_.append(place);
  if (is_forward) {
    for (int i = 0; i < kMaxSteps && reader_.Valid() && reader_.key() < target_; ++i) {
      reader_.Next();
    }
  }
  if (!is_forward || (reader_.Valid() && reader_.key() < target_)) {
    reader_.Seek(target_);
  }
  if (!reader_.Valid()) {
    RETURN_IF_ERROR(reader_.status());
    return std::nullopt;
  }
  if (reader_.key() != target_) {
    return std::nullopt;
  }
  return reader_.value();
}

EmbeddedSession::EmbeddedSession(EmbeddedParts parts, TenantId tenant,
                                 std::unique_ptr<TenantLocks::Held> lock)
    : parts_(parts), tenant_(std::move(tenant)), lock_(std::move(lock)) {}

EmbeddedSession::~EmbeddedSession() { EndTransaction(/*committed=*/false); }

absl::Status EmbeddedSession::Begin() {
  return phase_.Run(Call::kBegin, [&] { return DoBegin(); });
}

absl::Status EmbeddedSession::DoBegin() {
  RETURN_IF_ERROR(parts_.db->Fault("live.begin"));
  // With the latch held no write of this tenant is under way: each is either in the view or will be
  // in the journal.
  const TenantLatches::Hold hold(parts_.latches, tenant_);
  GenerationView view{
      .db = parts_.db, .snapshot = parts_.db->TakeSnapshot(), .tenant = tenant_, .generation = 0};
  ASSIGN_OR_RETURN(const std::optional<TenantHead> head,
                   parts_.db->ReadHead(tenant_, view.snapshot.get()));
  view.generation = head.value_or(TenantHead()).generation;
  transaction_ = std::make_unique<Transaction>(std::move(view), parts_.db->options());
  parts_.latches->SetJournal(tenant_, &transaction_->journal);
  return absl::OkStatus();
}

absl::Status EmbeddedSession::CheckTable(const std::string& table) const {
  if (!parts_.db->HasTable(table)) {
    return MakeError(Reason::kTableNotFound,
                     absl::StrCat("the store has no table \"", Printable(table), "\""));
  }
  return absl::OkStatus();
}

GenerationView EmbeddedSession::NewGeneration() const {
  return {.db = parts_.db,
          .snapshot = nullptr,  // only this session writes to it
          .tenant = tenant_,
          .generation = transaction_->writer->generation()};
}

absl::StatusOr<std::unique_ptr<RecordStream>> EmbeddedSession::ReadTable(const std::string& table) {
  return phase_.Run(Call::kRead, [&]() -> absl::StatusOr<std::unique_ptr<RecordStream>> {
    RETURN_IF_ERROR(parts_.db->Fault("live.read"));
    RETURN_IF_ERROR(CheckTable(table));
    const std::string part = EmbeddedKeyCodec::TablePart(table);
    std::unique_ptr<OverlaidReader> reader;
    if (transaction_->writer != nullptr) {
      RETURN_IF_ERROR(transaction_->writer->Flush());
      reader = std::make_unique<OverlaidReader>(NewGeneration(), part, part, nullptr);
    } else {
      reader =
          std::make_unique<OverlaidReader>(transaction_->view, part, part, &transaction_->overlay);
    }
    return std::make_unique<EmbeddedRecordStream>(std::move(reader), part.size(),
                                                  [this] { return phase_.CheckCancelled(); });
  });
}

absl::StatusOr<KeyState> EmbeddedSession::StateOf(const std::string& place) const {
  std::optional<std::string> payload;
  if (transaction_->writer != nullptr) {
    ASSIGN_OR_RETURN(payload, NewGeneration().Get(place));
  } else if (const auto own = transaction_->overlay.find(place);
             own != transaction_->overlay.end()) {
    payload = own->second;
  } else {
    ASSIGN_OR_RETURN(payload, transaction_->view.Get(place));
  }
  return KeyState{.owner = payload ? KeyOwner::kThisTenant : KeyOwner::kNobody,
                  .payload = std::move(payload)};
}

absl::StatusOr<std::vector<KeyState>> EmbeddedSession::LookUp(const std::string& table,
                                                              std::span<const RowKey> keys) {
  return phase_.Run(Call::kRead, [&]() -> absl::StatusOr<std::vector<KeyState>> {
    RETURN_IF_ERROR(CheckTable(table));
    if (transaction_->writer != nullptr) {
      RETURN_IF_ERROR(transaction_->writer->Flush());
    }
    std::vector<KeyState> states;
    states.reserve(keys.size());
    for (const RowKey& key : keys) {
      ASSIGN_OR_RETURN(KeyState state, StateOf(EmbeddedKeyCodec::Place(table, key.bytes())));
      states.push_back(std::move(state));
    }
    return states;
  });
}

absl::Status EmbeddedSession::Apply(const Change& change) {
  return phase_.Run(Call::kApply, [&] { return DoApply(change); });
}

absl::Status EmbeddedSession::DoApply(const Change& change) {
  Transaction& transaction = *transaction_;
  RETURN_IF_ERROR(parts_.db->Fault("live.apply"));
  if (transaction.table_part.empty() || change.table != transaction.last_table) {
    RETURN_IF_ERROR(CheckTable(change.table));
    transaction.last_table = change.table;
    transaction.table_part = EmbeddedKeyCodec::TablePart(change.table);
  }
  std::string& place = transaction.place;
  place.assign(transaction.table_part).append(change.key.bytes());
  RETURN_IF_ERROR(CheckRow(change, place));
  const bool is_delete = change.kind == ChangeKind::kDelete;
  if (transaction.writer != nullptr) {
    return is_delete ? transaction.writer->Delete(place)
                     : transaction.writer->Put(place, change.new_payload);
  }
  transaction.overlay_bytes += place.size() + change.new_payload.size();
  std::optional<std::string> payload;
  if (!is_delete) {
    payload = change.new_payload;
  }
  // Mostly they ascend.
  transaction.overlay.insert_or_assign(transaction.overlay.end(), place, std::move(payload));
  return transaction.overlay_bytes > parts_.db->options().max_batch_bytes ? StartGeneration()
                                                                          : absl::OkStatus();
}

// Each key is changed at most once, so that it is as in the view until then.
absl::Status EmbeddedSession::CheckRow(const Change& change, std::string_view place) {
  if (transaction_->cursor == nullptr) {
    transaction_->cursor = std::make_unique<ViewCursor>(transaction_->view);
  }
  ASSIGN_OR_RETURN(const std::optional<std::string_view> live, transaction_->cursor->Find(place));
  const bool is_as_said =
      change.kind == ChangeKind::kInsert ? !live : live && *live == change.old_payload;
  return is_as_said ? absl::OkStatus()
                    : LiveChanged(absl::StrCat("a row of table \"", Printable(change.table),
                                               "\" is not as the change says"));
}

absl::Status EmbeddedSession::StartGeneration() {
  TenantHead head;
  {
    const TenantLatches::Hold hold(parts_.latches, tenant_);
    if (!transaction_->journal.is_whole()) {
      return LiveChanged("the application changed too much of the tenant");
    }
    ASSIGN_OR_RETURN(const std::optional<TenantHead> now, parts_.db->ReadHead(tenant_, nullptr));
    head = now.value_or(TenantHead());
    rocksdb::WriteBatch batch;
    // Listed before it has records, so that it is removed if this process ends before the switch.
    // Synced, since the database takes its files over for good without syncing the log before: a
    // crash of the machine could lose the list and the number, and keep the records.
    batch.Put(parts_.db->meta(), EmbeddedKeyCodec::RetiredKey(tenant_, head.next_generation), {});
    ++head.next_generation;
    batch.Put(parts_.db->heads(), tenant_.value(), EmbeddedKeyCodec::EncodeHead(head));
    RETURN_IF_ERROR(parts_.db->WriteSynced(&batch, hold.shards()));
  }
  // The last change is in the overlay, so whether changes ascend is seen from the next one on.
  transaction_->writer = std::make_unique<GenerationWriter>(
      parts_.db, head.next_generation - 1,
      GenerationWriter::Base{.view = transaction_->view,
                             .overlay = std::exchange(transaction_->overlay, {})},
      [this] { return phase_.CheckCancelled(); });
  return parts_.db->Fault("live.new_generation");
}

absl::StatusOr<CommitToken> EmbeddedSession::Seal() {
  return phase_.Run(Call::kSeal, [&] { return DoSeal(); });
}

absl::StatusOr<CommitToken> EmbeddedSession::DoSeal() {
  RETURN_IF_ERROR(parts_.db->Fault("live.seal"));
  transaction_->cursor = nullptr;
  if (transaction_->writer != nullptr) {
    RETURN_IF_ERROR(transaction_->writer->Flush());
  }
  transaction_->token = NewTokenBytes();
  return CommitToken{.bytes = absl::StrCat(parts_.db->store_id(), "/", transaction_->token)};
}

absl::Status EmbeddedSession::Commit(absl::Time deadline) {
  return phase_.Run(Call::kCommit, [&] { return DoCommit(deadline); });
}

absl::Status EmbeddedSession::DoCommit(absl::Time deadline) {
  RETURN_IF_ERROR(parts_.db->Fault("live.before_commit"));
  {
    const TenantLatches::Hold hold(parts_.latches, tenant_);
    RETURN_IF_ERROR(CommitUnderLatch(deadline, hold));
  }
  EndTransaction(/*committed=*/true);
  if (!parts_.db->Fault("live.after_commit").ok()) {
    return MakeError(Reason::kCommitUnknown, "the answer to the commit was lost");
  }
  return absl::OkStatus();
}

absl::Status EmbeddedSession::CommitUnderLatch(absl::Time deadline,
                                               const TenantLatches::Hold& hold) {
  if (!transaction_->journal.is_whole()) {
    return LiveChanged("the application deleted the tenant, or changed too much of it");
  }
  rocksdb::WriteBatch batch;
  if (transaction_->writer != nullptr) {
    RETURN_IF_ERROR(AddReplay(&batch));
    RETURN_IF_ERROR(AddSwitch(&batch));
  } else {
    RETURN_IF_ERROR(AddOverlay(&batch));
  }
  RETURN_IF_ERROR(AddToken(&batch));
  if (parts_.db->options().clock->Now() >= deadline) {
    return MakeError(Reason::kDeadlineExceeded,
                     "the time for the commit was over before it began; nothing was changed");
  }
  const absl::Status fault = parts_.db->Fault("live.commit_write");
  const absl::Status written = fault.ok() ? parts_.db->WriteSynced(&batch, hold.shards()) : fault;
  return written.ok() ? written : AfterFailedWrite(written);
}

// The changes of a small session. The application's writes are in the same generation already.
absl::Status EmbeddedSession::AddOverlay(rocksdb::WriteBatch* batch) {
  for (const std::string& place : transaction_->journal.places()) {
    if (transaction_->overlay.contains(place)) {
      return LiveChanged("the application changed rows that the session was to change");
    }
  }
  ASSIGN_OR_RETURN(const std::optional<TenantHead> head, parts_.db->ReadHead(tenant_, nullptr));
  if (!head) {
    batch->Put(parts_.db->heads(), tenant_.value(), EmbeddedKeyCodec::EncodeHead(TenantHead()));
  }
  const std::string prefix =
      EmbeddedKeyCodec::GenerationPrefix(tenant_, transaction_->view.generation);
  for (const auto& [place, payload] : transaction_->overlay) {
    if (payload) {
      batch->Put(parts_.db->records(), prefix + place, *payload);
    } else {
      batch->Delete(parts_.db->records(), prefix + place);
    }
  }
  return absl::OkStatus();
}

// Carries over what the application wrote to the old generation since the view was taken.
absl::Status EmbeddedSession::AddReplay(rocksdb::WriteBatch* batch) {
  const GenerationView after = NewGeneration();
  GenerationView now = transaction_->view;
  now.snapshot = nullptr;
  const std::string prefix = EmbeddedKeyCodec::GenerationPrefix(tenant_, after.generation);
  for (const std::string& place : transaction_->journal.places()) {
    ASSIGN_OR_RETURN(const std::optional<std::string> in_view, transaction_->view.Get(place));
    ASSIGN_OR_RETURN(const std::optional<std::string> in_new, after.Get(place));
    if (in_view != in_new) {
      return LiveChanged("the application changed rows that the session was to change");
    }
    ASSIGN_OR_RETURN(const std::optional<std::string> live, now.Get(place));
    if (live) {
      batch->Put(parts_.db->records(), prefix + place, *live);
    } else {
      batch->Delete(parts_.db->records(), prefix + place);
    }
  }
  return absl::OkStatus();
}

absl::Status EmbeddedSession::AddSwitch(rocksdb::WriteBatch* batch) {
  ASSIGN_OR_RETURN(const std::optional<TenantHead> now, parts_.db->ReadHead(tenant_, nullptr));
  if (!now || now->generation != transaction_->view.generation) {
    return MakeError(Reason::kInternal,
                     absl::StrCat("the generation of tenant \"", Printable(tenant_.value()),
                                  "\" changed under a session"));
  }
  TenantHead head = *now;
  head.generation = transaction_->writer->generation();
  head.has_cornerstone = true;
  batch->Put(parts_.db->heads(), tenant_.value(), EmbeddedKeyCodec::EncodeHead(head));
  batch->Delete(parts_.db->meta(), EmbeddedKeyCodec::RetiredKey(tenant_, head.generation));
  batch->Put(parts_.db->meta(), EmbeddedKeyCodec::RetiredKey(tenant_, now->generation), {});
  return absl::OkStatus();
}

// Notes the commit, and forgets those that are so old that nobody asks for them any more.
absl::Status EmbeddedSession::AddToken(rocksdb::WriteBatch* batch) {
  const absl::Time now = parts_.db->options().clock->Now();
  const std::string prefix = EmbeddedKeyCodec::CommitPrefix(tenant_);
  RangeReader commits(
      parts_.db, parts_.db->meta(),
      {.begin = prefix, .end = EmbeddedKeyCodec::After(prefix), .fill_cache = true});
  for (; commits.Valid(); commits.Next()) {
    uint64_t committed_us = 0;
    if (EmbeddedKeyCodec::DecodeNumber(commits.value(), &committed_us) &&
        now - absl::FromUnixMicros(static_cast<int64_t>(committed_us)) > kKeepTokens) {
      batch->Delete(parts_.db->meta(), ToSlice(commits.key()));
    }
  }
  RETURN_IF_ERROR(commits.status());
  batch->Put(parts_.db->meta(), EmbeddedKeyCodec::CommitKey(tenant_, transaction_->token),
             EmbeddedKeyCodec::EncodeNumber(static_cast<uint64_t>(absl::ToUnixMicros(now))));
  return absl::OkStatus();
}

// The write may be in the log or not. If the database can be brought to forget the log, it is not.
absl::Status EmbeddedSession::AfterFailedWrite(const absl::Status& failure) {
  const absl::Status settled = parts_.db->Settle();
  if (!settled.ok()) {
    return MakeError(Reason::kCommitUnknown,
                     absl::StrCat("the commit failed, and whether it took place is not known until "
                                  "the store takes writes again: ",
                                  failure.message()));
  }
  ASSIGN_OR_RETURN(
      const std::optional<std::string> committed,
      parts_.db->Get(parts_.db->meta(), EmbeddedKeyCodec::CommitKey(tenant_, transaction_->token),
                     nullptr));
  return committed ? absl::OkStatus()
                   : WithContext(failure, "the commit failed and nothing was changed");
}

absl::Status EmbeddedSession::Rollback() {
  EndTransaction(/*committed=*/false);
  phase_.RolledBack();
  return absl::OkStatus();
}

void EmbeddedSession::EndTransaction(bool committed) {
  if (transaction_ == nullptr) {
    return;
  }
  {
    const TenantLatches::Hold hold(parts_.latches, tenant_);
    parts_.latches->SetJournal(tenant_, nullptr);
  }
  if (transaction_->writer != nullptr) {
    parts_.remover->Enqueue(
        tenant_, committed ? transaction_->view.generation : transaction_->writer->generation());
  }
  transaction_ = nullptr;
}

absl::StatusOr<CommitOutcome> EmbeddedSession::Resolve(const CommitToken& token) {
  return phase_.Run(Call::kResolve, [&] { return DoResolve(token); });
}

absl::StatusOr<CommitOutcome> EmbeddedSession::DoResolve(const CommitToken& token) {
  const std::string ours = absl::StrCat(parts_.db->store_id(), "/");
  if (!token.bytes.starts_with(ours) || token.bytes.size() != ours.size() + kTokenBytes) {
    return CommitOutcome::kNotKnown;
  }
  // As long as a failed write may still show after a crash, its absence says nothing.
  RETURN_IF_ERROR(parts_.db->Settle());
  ASSIGN_OR_RETURN(
      const std::optional<std::string> committed,
      parts_.db->Get(parts_.db->meta(),
                     EmbeddedKeyCodec::CommitKey(tenant_, token.bytes.substr(ours.size())),
                     nullptr));
  return committed ? CommitOutcome::kCommitted : CommitOutcome::kNotCommitted;
}

void EmbeddedSession::Cancel() { phase_.Cancel(); }

}  // namespace reinstate

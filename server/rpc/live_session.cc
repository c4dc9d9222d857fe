#include "server/rpc/live_session.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/rpc/request_checks.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

using v1::SessionRequest;
using v1::SessionResponse;

constexpr int kMaxLookUpKeys = 1000;
constexpr size_t kMaxLookUpBytes = 1 << 20;
constexpr size_t kMaxTokenBytes = 4 << 10;
constexpr size_t kMaxPurposeBytes = 256;
constexpr size_t kMaxReadings = 16;
constexpr absl::Duration kDefaultLockTimeout = absl::Seconds(10);

absl::Status OutOfOrder(std::string_view what) {
  return MakeError(Reason::kInvalidArgument,
                   absl::StrCat("the requests of a session are out of order: ",
                                absl::string_view(what.data(), what.size())));
}

}  // namespace

LiveSession::LiveSession(LiveStoreFinder find_store, const Options& options, Send send)
    : find_store_(std::move(find_store)), options_(options), send_(std::move(send)) {}

LiveSession::~LiveSession() { End(); }

void LiveSession::End() {
  readings_.clear();
  std::unique_ptr<TenantSession> session;
  {
    MutexLock lock(&mu_);
    session = std::move(session_);
  }
}

void LiveSession::Cancel() {
  // Under the lock, so that the session is not destroyed meanwhile.
  MutexLock lock(&mu_);
  cancelled_ = true;
  if (session_ != nullptr) {
    session_->Cancel();
  }
}

absl::Status LiveSession::CheckCancelled() {
  MutexLock lock(&mu_);
  // Not CANCELLED: nobody has cancelled the restore that waits, which can try again.
  return cancelled_ ? MakeError(Reason::kSessionLost, "the server has ended the session")
                    : absl::OkStatus();
}

absl::Status LiveSession::Answer(SessionResponse response) {
  sent_ = send_(std::move(response));
  return sent_;
}

absl::Status LiveSession::AnswerDone() {
  SessionResponse response;
  response.mutable_done();
  return Answer(std::move(response));
}

absl::Status LiveSession::Handle(SessionRequest* request) {
  absl::Status status = CheckOrder(*request);
  if (status.ok()) {
    status = Dispatch(request);
  }
  RETURN_IF_ERROR(sent_);
  if (status.ok()) {
    return status;
  }
  if (!request->has_resolve()) {
    failed_ = status;
  }
  SessionResponse response;
  *response.mutable_failed() = FailureToWire(status);
  RETURN_IF_ERROR(Answer(std::move(response)));
  // Without the lock there is nothing that could follow.
  return session_ == nullptr ? status : absl::OkStatus();
}

absl::Status LiveSession::CheckOrder(const SessionRequest& request) const {
  const auto kind = request.request_case();
  if ((kind == SessionRequest::kOpen) != (session_ == nullptr)) {
    return OutOfOrder("the first one, and only that, is `open`");
  }
  if (kind == SessionRequest::kRollback || kind == SessionRequest::kResolve) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(failed_);
  if (change_.has_value() && kind != change_of_) {
    return OutOfOrder("the last change is not complete");
  }
  bool in_order = true;
  switch (kind) {
    case SessionRequest::kBegin:
      in_order = phase_ == Phase::kNone;
      break;
    case SessionRequest::kReadTable:
    case SessionRequest::kReadMore:
    case SessionRequest::kLookUp:
    case SessionRequest::kFindObstacles:
      in_order = phase_ != Phase::kNone;
      break;
    case SessionRequest::kApply:
      in_order = phase_ == Phase::kOpen && readings_.empty();
      break;
    case SessionRequest::kSeal:
      in_order = phase_ == Phase::kOpen;
      break;
    case SessionRequest::kCommit:
      in_order = phase_ == Phase::kSealed;
      break;
    default:
      break;
  }
  return in_order
             ? absl::OkStatus()
             : OutOfOrder("begin, reads and changes (not while a table is read), seal, commit");
}

absl::Status LiveSession::Dispatch(SessionRequest* request) {
  switch (request->request_case()) {
    case SessionRequest::kOpen:
      return Open(request->open());
    case SessionRequest::kBegin:
      return Begin();
    case SessionRequest::kReadTable:
      return ReadTable(request->read_table());
    case SessionRequest::kReadMore:
      return ReadMore(request->read_more().reading());
    case SessionRequest::kEndRead:
      return EndRead(request->end_read().reading());
    case SessionRequest::kLookUp:
      return LookUp(request->look_up());
    case SessionRequest::kFindObstacles:
      return FindObstacles(request->mutable_find_obstacles());
    case SessionRequest::kApply:
      return Apply(request->mutable_apply());
    case SessionRequest::kSeal:
      return Seal();
    case SessionRequest::kCommit:
      return Commit(request->commit());
    case SessionRequest::kRollback:
      return Rollback();
    case SessionRequest::kResolve:
      return Resolve(request->resolve());
    default:
      return MakeError(Reason::kUnsupported, "a request of a session is of an unknown kind");
  }
}

absl::StatusOr<std::unique_ptr<TenantSession>> LiveSession::TakeLock(
    const v1::SessionOpen& request) {
  ASSIGN_OR_RETURN(LiveStore* const store, find_store_(request.store()));
  ASSIGN_OR_RETURN(const TenantId tenant, ParseTenant("open.tenant", request.tenant()));
  SessionOptions options{.purpose = Printable(request.purpose(), kMaxPurposeBytes),
                         .lock_timeout = kDefaultLockTimeout,
                         .should_end = [this] { return CheckCancelled(); }};
  if (request.has_lock_timeout()) {
    ASSIGN_OR_RETURN(options.lock_timeout,
                     DurationFromWire("open.lock_timeout", request.lock_timeout()));
  }
  return store->OpenTenant(tenant, options);
}

absl::Status LiveSession::Open(const v1::SessionOpen& request) {
  ASSIGN_OR_RETURN(const absl::Duration lease, GrantLease(request, kDefaultSessionLease));
  ASSIGN_OR_RETURN(std::unique_ptr<TenantSession> session, TakeLock(request));
  {
    MutexLock lock(&mu_);
    session_ = std::move(session);
    if (cancelled_) {
      session_->Cancel();
    }
  }
  SessionResponse response;
  DurationToWire(lease, response.mutable_opened()->mutable_lease());
  return Answer(std::move(response));
}

absl::Status LiveSession::Begin() {
  RETURN_IF_ERROR(session_->Begin());
  phase_ = Phase::kOpen;
  return AnswerDone();
}

absl::Status LiveSession::ReadTable(const v1::SessionReadTable& request) {
  if (readings_.contains(request.reading()) || readings_.size() >= kMaxReadings) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat("reading ", request.reading(), " is in use, or more than ",
                                  kMaxReadings, " are"));
  }
  ASSIGN_OR_RETURN(readings_[request.reading()].stream, session_->ReadTable(request.table()));
  return ReadMore(request.reading());
}

absl::Status LiveSession::ReadMore(uint32_t reading) {
  const auto found = readings_.find(reading);
  if (found == readings_.end()) {
    return MakeError(Reason::kInvalidArgument, absl::StrCat("there is no reading ", reading));
  }
  SessionResponse response;
  v1::SessionRows& rows = *response.mutable_rows();
  rows.set_reading(reading);
  RETURN_IF_ERROR(FillRows(&found->second, &rows));
  if (rows.last()) {
    readings_.erase(found);
  }
  return Answer(std::move(response));
}

absl::Status LiveSession::FillRows(Reading* reading, v1::SessionRows* rows) {
  size_t bytes = 0;
  while (bytes < kLiveBatchBytes) {
    RowSplitter& parts = reading->parts;
    if (!parts.has_part()) {
      ASSIGN_OR_RETURN(const bool found, reading->stream->Next(&reading->record));
      if (!found) {
        rows->set_last(true);
        return absl::OkStatus();
      }
      parts.Begin();
    }
    v1::SessionRow& row = *rows->add_rows();
    if (parts.is_first()) {
      row.set_key(reading->record.key.bytes());
    }
    row.set_more(parts.Take(&reading->record.payload, row.mutable_payload()));
    bytes += row.key().size() + row.payload().size();
  }
  return absl::OkStatus();
}

absl::Status LiveSession::EndRead(uint32_t reading) {
  readings_.erase(reading);
  return AnswerDone();
}

absl::Status LiveSession::LookUp(const v1::SessionLookUp& request) {
  std::vector<RowKey> keys;
  size_t key_bytes = 0;
  for (const std::string& key : request.keys()) {
    key_bytes += key.size();
    keys.emplace_back(key);
  }
  if (request.keys_size() > kMaxLookUpKeys || key_bytes > kMaxLookUpBytes) {
    return FieldError("look_up.keys", "has more than 1,000 keys, or than a megabyte of them.");
  }
  ASSIGN_OR_RETURN(std::vector<KeyState> states, session_->LookUp(request.table(), keys));
  if (states.size() != keys.size()) {
    return MakeError(Reason::kInternal, "the store did not look up every key");
  }
  SessionResponse response;
  size_t bytes = 0;
  for (KeyState& state : states) {
    std::string payload = std::move(state.payload).value_or("");
    RowSplitter parts;
    for (parts.Begin(); parts.has_part();) {
      v1::SessionKeyState& entry = *response.mutable_looked_up()->add_states();
      if (parts.is_first()) {
        entry.set_owner(OwnerToWire(state.owner));
      }
      entry.set_more(parts.Take(&payload, entry.mutable_payload()));
      bytes += entry.payload().size();
      if (bytes >= kLiveBatchBytes) {
        RETURN_IF_ERROR(Answer(std::exchange(response, {})));
        bytes = 0;
      }
    }
  }
  response.mutable_looked_up()->set_last(true);
  return Answer(std::move(response));
}

absl::Status LiveSession::FindObstacles(v1::SessionFindObstacles* request) {
  if (request->changes_size() > kMaxLookUpKeys) {
    return FieldError("find_obstacles.changes", "has more than 1,000 changes.");
  }
  change_of_ = SessionRequest::kFindObstacles;
  std::vector<Change> changes;
  for (v1::SessionChange& entry : *request->mutable_changes()) {
    RETURN_IF_ERROR(AddPart("find_obstacles.changes", &entry));
    if (!entry.more()) {
      changes.push_back(*std::exchange(change_, std::nullopt));
    }
  }
  ASSIGN_OR_RETURN(const std::vector<Obstacle> obstacles, session_->FindObstacles(changes));
  SessionResponse response;
  v1::SessionObstacles& wire = *response.mutable_obstacles();
  for (const Obstacle& obstacle : obstacles) {
    *wire.add_obstacles() = ObstacleToWire(obstacle);
  }
  return Answer(std::move(response));
}

absl::Status LiveSession::Apply(v1::SessionApply* request) {
  change_of_ = SessionRequest::kApply;
  for (v1::SessionChange& entry : *request->mutable_changes()) {
    RETURN_IF_ERROR(AddPart("apply.changes", &entry));
    if (!entry.more()) {
      const Change change = *std::exchange(change_, std::nullopt);
      RETURN_IF_ERROR(session_->Apply(change));
    }
  }
  return AnswerDone();
}

absl::Status LiveSession::AddPart(std::string_view field, v1::SessionChange* entry) {
  if (!change_.has_value()) {
    Change change;
    ASSIGN_OR_RETURN(change.kind, KindFromWire(entry->kind()));
    change.table = std::move(*entry->mutable_table());
    change.key = RowKey(std::move(*entry->mutable_key()));
    change.old_payload = std::move(*entry->mutable_old_payload());
    change.new_payload = std::move(*entry->mutable_new_payload());
    change_ = std::move(change);
  } else {
    if (entry->kind() != v1::CHANGE_KIND_UNSPECIFIED || !entry->table().empty() ||
        !entry->key().empty() || (!entry->old_payload().empty() && !change_->new_payload.empty())) {
      return FieldError(field,
                        "has a part of a change that names its row again, or is out of order.");
    }
    change_->old_payload.append(entry->old_payload());
    change_->new_payload.append(entry->new_payload());
  }
  if ((change_->kind == ChangeKind::kInsert && !change_->old_payload.empty()) ||
      (change_->kind == ChangeKind::kDelete && !change_->new_payload.empty())) {
    return FieldError(field, "has a payload that does not belong to its kind of change.");
  }
  if (change_->old_payload.size() + change_->new_payload.size() > options_.max_payload_bytes) {
    return MakeError(Reason::kTooLarge,
                     absl::StrCat("the payloads of a change are over the limit of ",
                                  options_.max_payload_bytes, " bytes"));
  }
  return absl::OkStatus();
}

absl::Status LiveSession::Seal() {
  ASSIGN_OR_RETURN(CommitToken token, session_->Seal());
  phase_ = Phase::kSealed;
  SessionResponse response;
  response.mutable_sealed()->set_token(std::move(token.bytes));
  for (std::string& exception : session_->Exceptions()) {
    response.mutable_sealed()->add_exceptions(std::move(exception));
  }
  return Answer(std::move(response));
}

absl::Status LiveSession::Commit(const v1::SessionCommit& request) {
  ASSIGN_OR_RETURN(const absl::Duration timeout,
                   DurationFromWire("commit.timeout", request.timeout()));
  if (timeout <= absl::ZeroDuration()) {
    return FieldError("commit.timeout", "must be positive.");
  }
  readings_.clear();
  RETURN_IF_ERROR(session_->Commit(options_.clock->Now() + timeout));
  phase_ = Phase::kNone;
  return AnswerDone();
}

absl::Status LiveSession::Rollback() {
  readings_.clear();
  change_ = std::nullopt;
  RETURN_IF_ERROR(session_->Rollback());
  failed_ = absl::OkStatus();
  phase_ = Phase::kNone;
  return AnswerDone();
}

absl::Status LiveSession::Resolve(const v1::SessionResolve& request) {
  RETURN_IF_ERROR(CheckLength("resolve.token", request.token(), kMaxTokenBytes));
  ASSIGN_OR_RETURN(const CommitOutcome outcome, session_->Resolve({.bytes = request.token()}));
  SessionResponse response;
  response.mutable_resolved()->set_outcome(OutcomeToWire(outcome));
  return Answer(std::move(response));
}

}  // namespace reinstate

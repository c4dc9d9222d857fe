#include "storage/live/remote/remote_session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/live/remote/payload_parts.h"
#include "storage/live/remote/session_record_stream.h"
#include "storage/live/remote/wire_limits.h"
#include "storage/live/remote/wire_status.h"
#include "storage/live/remote/wire_values.h"

namespace reinstate {
namespace {

using Call = SessionPhase::Call;
using v1::SessionRequest;
using v1::SessionResponse;

// How many batches of changes may be unanswered. The protocol allows four.
constexpr size_t kMaxAppliesUnderWay = 4;

// How long the end of a session that was cancelled waits for the server's.
constexpr absl::Duration kCancelledPatience = absl::Seconds(2);

absl::Status TooLarge(std::string_view what, size_t limit_bytes) {
  return MakeError(Reason::kTooLarge,
                   absl::StrCat(Absl(what), " is over the limit of ", limit_bytes,
                                " bytes of a store that is reached over the network"));
}

size_t SizeOf(const v1::SessionChange& entry) {
  return entry.key().size() + entry.table().size() + entry.old_payload().size() +
         entry.new_payload().size();
}

// Whether no more may be added to a request that holds `bytes` of changes.
bool IsFull(const v1::SessionFindObstacles& request, size_t bytes) {
  return bytes >= live_wire::kBatchBytes ||
         static_cast<size_t>(request.changes_size()) >= live_wire::kMaxLookUpKeys;
}

SessionRequest OpenRequest(const RemoteStoreOptions& options, const TenantId& tenant,
                           const SessionOptions& session) {
  SessionRequest request;
  v1::SessionOpen& open = *request.mutable_open();
  open.set_store(options.store);
  open.set_tenant(tenant.value());
  open.set_purpose(session.purpose);
  const absl::Duration lock_timeout =
      std::clamp(session.lock_timeout, absl::ZeroDuration(), absl::Hours(24));
  live_wire::ToWire(lock_timeout, open.mutable_lock_timeout());
  live_wire::ToWire(options.lease, open.mutable_lease());
  return request;
}

// What the outcome of a commit is that failed with `status`. Only what the server has said of it
// itself can mean that nothing was committed.
absl::Status CommitFailure(SessionCall::Fate fate, const absl::Status& status) {
  if (fate == SessionCall::Fate::kUnsent) {
    return MakeError(Reason::kSessionLost,
                     absl::StrCat("the session was lost before the commit: ", status.message()));
  }
  const bool says_little =
      HasReason(status, Reason::kSessionLost) || HasReason(status, Reason::kInternal);
  if (fate == SessionCall::Fate::kUnanswered || says_little) {
    return MakeError(Reason::kCommitUnknown,
                     absl::StrCat("the answer to the commit was lost: ", status.message()));
  }
  return status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TenantSession>> RemoteSession::Open(
    v1::LiveStoreService::Stub* stub, const RemoteStoreOptions& options, const TenantId& tenant,
    const SessionOptions& session) {
  // No make_unique: the constructor is private.
  std::unique_ptr<RemoteSession> opened(
      new RemoteSession(SessionCall::Begin(stub, options.lease), options));
  const auto ticket =
      opened->call_->Send(OpenRequest(options, tenant, session), SessionResponse::kOpened);
  ASSIGN_OR_RETURN(const SessionResponse answer,
                   opened->call_->Next(*ticket, {.should_end = session.should_end}));
  ASSIGN_OR_RETURN(const absl::Duration lease, live_wire::LeaseFromWire(answer.opened().lease()));
  opened->KeepLease(lease);
  return opened;
}

RemoteSession::RemoteSession(std::unique_ptr<SessionCall> call, const RemoteStoreOptions& options)
    : options_(options), call_(std::move(call)) {
  KeepLease(options.lease);
}

void RemoteSession::KeepLease(absl::Duration lease) {
  call_->SetSilence(lease);
  // Leaves room for a heartbeat that is late: the server ends the session after a whole lease.
  heartbeat_ = std::make_unique<PeriodicThread>(lease / 4, [this] { call_->Beat(); });
}

RemoteSession::~RemoteSession() {
  call_->Close(call_->CheckInterrupted().ok() ? options_.lease
                                              : std::min(options_.lease, kCancelledPatience));
}

absl::StatusOr<SessionResponse> RemoteSession::Ask(SessionRequest request,
                                                   Response::ResponseCase expected) {
  RETURN_IF_ERROR(FlushChanges());
  const auto ticket = call_->Send(std::move(request), expected);
  RETURN_IF_ERROR(AwaitChanges(0));
  return call_->Next(*ticket, {});
}

absl::Status RemoteSession::Begin() {
  return phase_.Run(Call::kBegin, [&] {
    SessionRequest request;
    request.mutable_begin();
    return Ask(std::move(request), Response::kDone).status();
  });
}

absl::StatusOr<std::unique_ptr<RecordStream>> RemoteSession::ReadTable(const std::string& table) {
  return phase_.Run(Call::kRead, [&]() -> absl::StatusOr<std::unique_ptr<RecordStream>> {
    SessionRequest request;
    request.mutable_read_table()->set_reading(++last_reading_);
    request.mutable_read_table()->set_table(table);
    ASSIGN_OR_RETURN(SessionResponse first, Ask(std::move(request), Response::kRows));
    return std::make_unique<SessionRecordStream>(
        call_.get(), last_reading_, options_.max_payload_bytes, std::move(*first.mutable_rows()));
  });
}

absl::StatusOr<std::vector<KeyState>> RemoteSession::LookUp(const std::string& table,
                                                            std::span<const RowKey> keys) {
  return phase_.Run(Call::kRead, [&]() -> absl::StatusOr<std::vector<KeyState>> {
    std::vector<KeyState> states;
    states.reserve(keys.size());
    size_t begin = 0;
    while (begin < keys.size()) {
      size_t end = begin;
      size_t bytes = 0;
      while (end < keys.size() && end - begin < live_wire::kMaxLookUpKeys &&
             (end == begin || bytes + keys[end].bytes().size() <= live_wire::kMaxLookUpBytes)) {
        bytes += keys[end++].bytes().size();
      }
      if (bytes > live_wire::kMaxLookUpBytes) {
        return TooLarge("a key", live_wire::kMaxLookUpBytes);
      }
      RETURN_IF_ERROR(LookUpSome(table, keys.subspan(begin, end - begin), &states));
      begin = end;
    }
    return states;
  });
}

absl::Status RemoteSession::LookUpSome(const std::string& table, std::span<const RowKey> keys,
                                       std::vector<KeyState>* states) {
  SessionRequest request;
  request.mutable_look_up()->set_table(table);
  for (const RowKey& key : keys) {
    request.mutable_look_up()->add_keys(key.bytes());
  }
  RETURN_IF_ERROR(FlushChanges());
  const auto ticket = call_->Send(std::move(request), Response::kLookedUp);
  RETURN_IF_ERROR(AwaitChanges(0));
  live_wire::KeyStateJoiner joiner(keys.size(), options_.max_payload_bytes, states);
  bool last = false;
  while (!last) {
    ASSIGN_OR_RETURN(SessionResponse answer, call_->Next(*ticket, {}));
    last = answer.looked_up().last();
    if (absl::Status status = joiner.Add(std::move(*answer.mutable_looked_up())); !status.ok()) {
      call_->Abort(status);
      return status;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Obstacle>> RemoteSession::FindObstacles(
    std::span<const Change> changes) {
  return phase_.Run(Call::kRead, [&] { return AskForObstacles(changes); });
}

absl::StatusOr<std::vector<Obstacle>> RemoteSession::AskForObstacles(
    std::span<const Change> changes) {
  std::vector<Obstacle> obstacles;
  SessionRequest request;
  size_t bytes = 0;
  size_t first = 0;
  for (size_t i = 0; i < changes.size(); ++i) {
    RETURN_IF_ERROR(CheckSize(changes[i]));
    live_wire::ChangeSplitter splitter(changes[i]);
    bool more = true;
    while (more) {
      v1::SessionChange& entry = *request.mutable_find_obstacles()->add_changes();
      more = splitter.Next(&entry);
      bytes += SizeOf(entry);
      const bool is_last = !more && i + 1 == changes.size();
      if (is_last || IsFull(request.find_obstacles(), bytes)) {
        const size_t complete = i - first + (more ? 0 : 1);
        RETURN_IF_ERROR(FindSome(std::exchange(request, {}), first, complete, &obstacles));
        first += complete;
        bytes = 0;
      }
    }
  }
  return obstacles;
}

absl::Status RemoteSession::FindSome(SessionRequest request, size_t first, size_t changes,
                                     std::vector<Obstacle>* obstacles) {
  ASSIGN_OR_RETURN(const SessionResponse answer, Ask(std::move(request), Response::kObstacles));
  for (const v1::SessionObstacle& wire : answer.obstacles().obstacles()) {
    absl::StatusOr<Obstacle> obstacle = live_wire::FromWire(wire, changes);
    if (!obstacle.ok()) {
      call_->Abort(obstacle.status());
      return obstacle.status();
    }
    obstacle->change += first;
    obstacles->push_back(*std::move(obstacle));
  }
  return absl::OkStatus();
}

absl::Status RemoteSession::Apply(const Change& change) {
  return phase_.Run(Call::kApply, [&] { return AddChange(change); });
}

absl::Status RemoteSession::CheckSize(const Change& change) const {
  if (change.old_payload.size() + change.new_payload.size() > options_.max_payload_bytes) {
    return TooLarge("a row", options_.max_payload_bytes);
  }
  return change.key.bytes().size() > live_wire::kMaxKeyBytes
             ? TooLarge("a key", live_wire::kMaxKeyBytes)
             : absl::OkStatus();
}

absl::Status RemoteSession::AddChange(const Change& change) {
  RETURN_IF_ERROR(CheckSize(change));
  live_wire::ChangeSplitter splitter(change);
  bool more = true;
  while (more) {
    v1::SessionChange& entry = *batch_.mutable_apply()->add_changes();
    more = splitter.Next(&entry);
    batch_bytes_ += SizeOf(entry);
    if (batch_bytes_ >= live_wire::kBatchBytes) {
      RETURN_IF_ERROR(FlushChanges());
      RETURN_IF_ERROR(AwaitChanges(kMaxAppliesUnderWay - 1));
    }
  }
  return absl::OkStatus();
}

absl::Status RemoteSession::FlushChanges() {
  if (batch_.apply().changes().empty()) {
    return absl::OkStatus();
  }
  // One more than may be unanswered is never sent.
  RETURN_IF_ERROR(AwaitChanges(kMaxAppliesUnderWay - 1));
  applies_.push_back(call_->Send(std::exchange(batch_, {}), Response::kDone));
  batch_bytes_ = 0;
  return absl::OkStatus();
}

absl::Status RemoteSession::AwaitChanges(size_t max_left) {
  while (applies_.size() > max_left) {
    const auto ticket = std::move(applies_.front());
    applies_.pop_front();
    RETURN_IF_ERROR(call_->Next(*ticket, {}).status());
  }
  return absl::OkStatus();
}

absl::StatusOr<CommitToken> RemoteSession::Seal() {
  return phase_.Run(Call::kSeal, [&]() -> absl::StatusOr<CommitToken> {
    SessionRequest request;
    request.mutable_seal();
    ASSIGN_OR_RETURN(SessionResponse answer, Ask(std::move(request), Response::kSealed));
    std::string& token = *answer.mutable_sealed()->mutable_token();
    if (token.size() > live_wire::kMaxTokenBytes) {
      return live_wire::ProtocolBroken("a commit token is too long");
    }
    exceptions_.clear();
    for (const std::string& exception : answer.sealed().exceptions()) {
      if (exceptions_.size() < live_wire::kMaxExceptions) {
        exceptions_.push_back(Printable(exception, live_wire::kMaxSentenceBytes));
      }
    }
    return CommitToken{.bytes = std::move(token)};
  });
}

absl::Status RemoteSession::Commit(absl::Time deadline) {
  return phase_.Run(Call::kCommit, [&] { return DoCommit(deadline); });
}

absl::Status RemoteSession::DoCommit(absl::Time deadline) {
  const absl::Duration timeout = std::min(deadline - options_.clock->Now(), absl::Hours(24));
  if (timeout <= absl::ZeroDuration()) {
    return MakeError(Reason::kDeadlineExceeded,
                     "the time for the commit was over before it began; nothing was changed");
  }
  SessionRequest request;
  live_wire::ToWire(timeout, request.mutable_commit()->mutable_timeout());
  const auto ticket = call_->Send(std::move(request), Response::kDone);
  // The server keeps to the deadline; what is longer is a lost answer.
  const absl::Status status =
      call_->Next(*ticket, {.timeout = timeout + options_.lease, .uninterrupted = true}).status();
  return status.ok() ? status : CommitFailure(call_->FateOf(*ticket), status);
}

absl::Status RemoteSession::Rollback() {
  batch_.Clear();
  batch_bytes_ = 0;
  applies_.clear();
  SessionRequest request;
  request.mutable_rollback();
  const auto ticket = call_->Send(std::move(request), Response::kDone);
  const absl::Status status =
      call_->Next(*ticket, {.timeout = options_.call_timeout, .uninterrupted = true}).status();
  if (!status.ok()) {
    absl::Status lost = MakeError(
        Reason::kSessionLost,
        absl::StrCat("the session could not be rolled back, so it was ended: ", status.message()));
    call_->Abort(lost);
    return lost;
  }
  phase_.RolledBack();
  return absl::OkStatus();
}

absl::StatusOr<CommitOutcome> RemoteSession::Resolve(const CommitToken& token) {
  return phase_.Run(Call::kResolve, [&]() -> absl::StatusOr<CommitOutcome> {
    if (token.bytes.size() > live_wire::kMaxTokenBytes) {
      return CommitOutcome::kNotKnown;  // no token of any store
    }
    SessionRequest request;
    request.mutable_resolve()->set_token(token.bytes);
    const auto ticket = call_->Send(std::move(request), Response::kResolved);
    ASSIGN_OR_RETURN(const SessionResponse answer, call_->Next(*ticket, {}));
    return live_wire::FromWire(answer.resolved().outcome());
  });
}

void RemoteSession::Cancel() {
  phase_.Cancel();
  call_->InterruptWaits();
}

}  // namespace reinstate

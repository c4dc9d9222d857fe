#include "storage/live/postgres/pg_connection.h"

#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/live/postgres/sql_text.h"

namespace reinstate {
namespace {

constexpr int kOldestServer = 150000;

// How much may be waiting to be sent before more is put into libpq's buffer, which has no bound.
constexpr size_t kSendBytes = 256 << 10;

// How long one wait for the socket may be; longer ones go round.
constexpr absl::Duration kLongestWait = absl::Minutes(1);

class ResultHolder {
 public:
  explicit ResultHolder(pg_result* result) : result_(result) {}
  ~ResultHolder() { PQclear(result_); }
  ResultHolder(const ResultHolder&) = delete;
  ResultHolder& operator=(const ResultHolder&) = delete;
  pg_result* get() const { return result_; }
  pg_result* release() { return std::exchange(result_, nullptr); }

 private:
  pg_result* result_;
};

bool IsCopy(ExecStatusType status) { return status == PGRES_COPY_OUT || status == PGRES_COPY_IN; }

bool IsFailure(ExecStatusType status) {
  return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE ||
         status == PGRES_NONFATAL_ERROR;
}

// Borrowed from `params`.
std::vector<const char*> ValuesOf(const std::vector<PgParam>& params) {
  std::vector<const char*> values;
  values.reserve(params.size());
  for (const PgParam& param : params) {
    values.push_back(param ? param->c_str() : nullptr);
  }
  return values;
}

std::string Address(const pg_conn* connection) {
  const auto text = [](const char* from) { return from == nullptr ? "" : from; };
  return absl::StrCat(text(PQhost(connection)), ":", text(PQport(connection)), "/",
                      text(PQdb(connection)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<PgConnection>> PgConnection::Connect(const PgOptions& options,
                                                                    ShouldEnd should_end) {
  std::unique_ptr<PgConnection> connection(new PgConnection(options));
  connection->EndWhen(std::move(should_end));
  RETURN_IF_ERROR(connection->Open());
  RETURN_IF_ERROR(connection->CheckDirect());
  RETURN_IF_ERROR(connection->CheckIdentity());
  return connection;
}

PgConnection::PgConnection(PgOptions options)
    : options_(std::move(options)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

PgConnection::~PgConnection() {
  Close();
  close(wake_);
}

absl::Status PgConnection::Open() {
  doing_ = "connect";
  ASSIGN_OR_RETURN(connection_, StartConnect(options_));
  PQsetErrorVerbosity(connection_, PQERRORS_VERBOSE);
  PQsetNoticeReceiver(connection_, &PgConnection::Notice, this);
  RETURN_IF_ERROR(FinishConnect());
  PQsetnonblocking(connection_, 1);
  address_ = Address(connection_);
  connected_at_ = absl::Now();
  server_version_ = PQserverVersion(connection_);
  return absl::OkStatus();
}

absl::Status PgConnection::FinishConnect() {
  const absl::Time until = absl::Now() + options_.connect_timeout;
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (state == PGRES_POLLING_WRITING || state == PGRES_POLLING_READING) {
    if (PQstatus(connection_) == CONNECTION_BAD) {
      break;
    }
    ASSIGN_OR_RETURN(const bool ready, WaitForSocket(state == PGRES_POLLING_WRITING, until));
    if (!ready) {
      return Broken(MakeError(
          Reason::kUnavailable,
          absl::StrCat("cannot connect to the database: no answer from ", Address(connection_),
                       " within ", absl::FormatDuration(options_.connect_timeout))));
    }
    state = PQconnectPoll(connection_);
  }
  if (PQstatus(connection_) != CONNECTION_OK) {
    return Broken(StatusOfFailedConnect(connection_));
  }
  return absl::OkStatus();
}

absl::Status PgConnection::CheckDirect() {
  if (server_version_ < kOldestServer) {
    return Broken(
        MakeError(Reason::kUnsupported, absl::StrCat("the server's version is ", server_version_,
                                                     "; PostgreSQL 15 or later is needed")));
  }
  const int announced = PQbackendPID(connection_);
  ASSIGN_OR_RETURN(const PgResult result,
                   Query("look who answers", "SELECT pg_catalog.pg_backend_pid()"));
  backend_pid_ = static_cast<int>(result.GetInt(0, 0));
  if (backend_pid_ != announced) {
    return Broken(MakeError(
        Reason::kUnsupported,
        absl::StrCat("something is between us and the database at ", address_,
                     ", probably a connection pooler; give the address of the server itself")));
  }
  return Execute("prepare the connection", SessionSettings());
}

absl::StatusOr<std::string> PgConnection::ReadIdentity() {
  const absl::StatusOr<PgResult> result =
      QueryKept("read the identity",
                "SELECT c.system_identifier, d.oid FROM pg_catalog.pg_control_system() c, "
                "pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()");
  if (HasReason(result.status(), Reason::kNotAllowed)) {
    return MakeError(Reason::kNotAllowed,
                     "The role may not read which cluster this is: GRANT EXECUTE ON FUNCTION "
                     "pg_catalog.pg_control_system() TO …. deploy/postgres/role.sql grants all "
                     "that is needed.");
  }
  RETURN_IF_ERROR(result.status());
  return absl::StrCat("postgres:", Absl(result->Get(0, 0)), ":", Absl(result->Get(0, 1)));
}

absl::Status PgConnection::CheckIdentity() {
  if (options_.identity.empty()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::string identity, ReadIdentity());
  if (identity == options_.identity) {
    return absl::OkStatus();
  }
  return Broken(MakeError(
      Reason::kStoreIdentityChanged,
      absl::StrCat("the database at ", address_,
                   " is not the one that the store was registered with; nothing was read or "
                   "changed. If it is meant to be, confirm it with `reinstate store rebind`")));
}

absl::Status PgConnection::CheckTakesWrites(const PgTransaction& transaction) {
  const char* const standby = PQparameterStatus(connection_, "in_hot_standby");
  if (!transaction.read_only && standby != nullptr && std::string_view(standby) == "on") {
    return Broken(
        MakeError(Reason::kUnsupported,
                  absl::StrCat(address_,
                               " is a standby, which takes no writes; give the address of the "
                               "primary.")));
  }
  return absl::OkStatus();
}

absl::Status PgConnection::Begin(const PgTransaction& transaction) {
  return BeginWith(transaction, "begin a transaction", "").status();
}

absl::StatusOr<std::vector<PgResult>> PgConnection::BeginWith(const PgTransaction& transaction,
                                                              std::string_view doing,
                                                              const std::string& statements) {
  RETURN_IF_ERROR(Start(doing));
  RETURN_IF_ERROR(CheckTakesWrites(transaction));
  set_.clear();
  RETURN_IF_ERROR(
      SendText(absl::StrCat(in_transaction() ? "ROLLBACK; " : "",
                            BeginSql(transaction, options_, server_version_), statements)));
  return ReadRows();
}

absl::StatusOr<PgResult> PgConnection::Query(std::string_view doing, const std::string& sql,
                                             const std::vector<PgParam>& params) {
  RETURN_IF_ERROR(Start(doing));
  const std::vector<const char*> values = ValuesOf(params);
  if (PQsendQueryParams(connection_, sql.c_str(), static_cast<int>(values.size()), nullptr,
                        values.data(), nullptr, nullptr, 0) == 0) {
    return Lost();
  }
  RETURN_IF_ERROR(Flush());
  return ReadLastResult();
}

absl::StatusOr<std::string> PgConnection::Keep(const std::string& sql) {
  const auto found = kept_.find(sql);
  if (found != kept_.end()) {
    return found->second;
  }
  std::string name = absl::StrCat("reinstate_", kept_.size());
  if (PQsendPrepare(connection_, name.c_str(), sql.c_str(), 0, nullptr) == 0) {
    return Lost();
  }
  RETURN_IF_ERROR(Flush());
  RETURN_IF_ERROR(ReadLastResult().status());
  kept_.emplace(sql, name);
  return name;
}

absl::StatusOr<PgResult> PgConnection::QueryKept(std::string_view doing, const std::string& sql,
                                                 const std::vector<PgParam>& params) {
  RETURN_IF_ERROR(Start(doing));
  ASSIGN_OR_RETURN(const std::string name, Keep(sql));
  const std::vector<const char*> values = ValuesOf(params);
  if (PQsendQueryPrepared(connection_, name.c_str(), static_cast<int>(values.size()), values.data(),
                          nullptr, nullptr, 0) == 0) {
    return Lost();
  }
  RETURN_IF_ERROR(Flush());
  return ReadLastResult();
}

absl::StatusOr<std::string> PgConnection::KeptSql(std::string_view doing, const std::string& sql,
                                                  const std::vector<PgParam>& params) {
  RETURN_IF_ERROR(Start(doing));
  ASSIGN_OR_RETURN(const std::string name, Keep(sql));
  std::vector<std::string> values;
  values.reserve(params.size());
  for (const PgParam& param : params) {
    values.push_back(param.has_value() ? QuoteLiteral(*param) : "NULL");
  }
  return absl::StrCat("EXECUTE ", name,
                      values.empty() ? "" : absl::StrCat("(", absl::StrJoin(values, ", "), ")"));
}

absl::StatusOr<PgParam> PgConnection::AskOnce(std::string_view doing, const std::string& sql) {
  RETURN_IF_ERROR(Start(doing));
  if (const auto found = constants_.find(sql); found != constants_.end()) {
    return found->second;
  }
  ASSIGN_OR_RETURN(const PgResult result, Query(doing, sql));
  if (result.IsNull(0, 0)) {
    return PgParam();
  }
  return constants_.emplace(sql, result.Get(0, 0)).first->second;
}

std::string_view PgConnection::OnceSet(std::string_view settings) {
  if (set_ == settings) {
    return {};
  }
  set_ = settings;
  return settings;
}

absl::StatusOr<std::vector<PgResult>> PgConnection::QueryAll(std::string_view doing,
                                                             const std::string& sql) {
  RETURN_IF_ERROR(Start(doing));
  RETURN_IF_ERROR(SendText(sql));
  return ReadRows();
}

absl::Status PgConnection::Execute(std::string_view doing, const std::string& sql) {
  return QueryAll(doing, sql).status();
}

absl::Status PgConnection::SendText(const std::string& sql) {
  return PQsendQuery(connection_, sql.c_str()) == 0 ? Lost() : Flush();
}

absl::Status PgConnection::StartCopyOut(std::string_view doing, const std::string& sql,
                                        size_t copies) {
  RETURN_IF_ERROR(Start(doing));
  RETURN_IF_ERROR(SendText(sql));
  copies_left_ = copies - 1;
  return ReadUntilCopy(PGRES_COPY_OUT);
}

absl::Status PgConnection::NextCopyOut(std::string_view doing) {
  RETURN_IF_ERROR(Start(doing));
  --copies_left_;
  return ReadUntilCopy(PGRES_COPY_OUT);
}

absl::StatusOr<bool> PgConnection::NextLine(std::string_view* line) {
  RETURN_IF_ERROR(CheckUsable());
  PQfreemem(std::exchange(line_, nullptr));
  while (true) {
    const int got = PQgetCopyData(connection_, &line_, /*async=*/1);
    if (got > 0) {
      *line = std::string_view(line_, static_cast<size_t>(got));
      if (line->ends_with('\n')) {
        line->remove_suffix(1);
      }
      return true;
    }
    if (got < 0) {
      // The end, or an error, which the result tells apart.
      RETURN_IF_ERROR((copies_left_ > 0 ? ReadResult() : ReadLastResult()).status());
      return false;
    }
    RETURN_IF_ERROR(WaitForAnswer());
  }
}

absl::Status PgConnection::DropLines() {
  std::string_view line;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, NextLine(&line));
    if (!more && copies_left_ == 0) {
      return absl::OkStatus();
    }
    if (!more) {
      RETURN_IF_ERROR(NextCopyOut("read on"));
    }
  }
}

absl::Status PgConnection::StartCopyIn(std::string_view doing, const std::string& sql) {
  RETURN_IF_ERROR(Start(doing));
  RETURN_IF_ERROR(SendText(sql));
  return ReadUntilCopy(PGRES_COPY_IN);
}

absl::Status PgConnection::PutLines(std::string_view lines) {
  RETURN_IF_ERROR(CheckUsable());
  while (!lines.empty()) {
    const size_t size = std::min(lines.size(), kSendBytes);
    if (PQputCopyData(connection_, lines.data(), static_cast<int>(size)) != 1) {
      return CopyFailed();
    }
    RETURN_IF_ERROR(Flush());
    lines.remove_prefix(size);
  }
  return absl::OkStatus();
}

absl::Status PgConnection::PutCopyEnd() {
  RETURN_IF_ERROR(CheckUsable());
  if (PQputCopyEnd(connection_, nullptr) != 1) {
    return CopyFailed();
  }
  return Flush();
}

absl::StatusOr<int64_t> PgConnection::EndCopyIn() {
  RETURN_IF_ERROR(PutCopyEnd());
  ASSIGN_OR_RETURN(const PgResult result, ReadLastResult());
  return result.affected();
}

absl::StatusOr<int64_t> PgConnection::NextCopyIn(std::string_view doing_next) {
  RETURN_IF_ERROR(PutCopyEnd());
  ASSIGN_OR_RETURN(const PgResult result, ReadResult());
  doing_ = std::string(doing_next);
  RETURN_IF_ERROR(ReadUntilCopy(PGRES_COPY_IN));
  return result.affected();
}

// The server may have ended the COPY with an error, which then is the next result.
absl::Status PgConnection::CopyFailed() {
  absl::Status status = ReadLastResult().status();
  return status.ok() ? Lost() : std::move(status);
}

absl::Status PgConnection::Commit(absl::Time deadline, const Clock* clock) {
  RETURN_IF_ERROR(Start("commit"));
  const absl::Duration left = deadline - clock->Now();
  if (left <= absl::ZeroDuration()) {
    return Broken(
        MakeError(Reason::kDeadlineExceeded,
                  "the time for the commit was over before it began; nothing was changed"));
  }
  warnings_ = 0;
  uncancellable_ = true;
  absl::Status status = FinishCommit(absl::Now() + left);
  uncancellable_ = false;
  return status;
}

// From where its first byte may have been sent, whatever is not the server's answer leaves it open.
absl::Status PgConnection::FinishCommit(absl::Time until) {
  const auto unknown = [this](std::string_view why) {
    return Broken(MakeError(Reason::kCommitUnknown,
                            absl::StrCat("the outcome of the commit is not known: ", Absl(why))));
  };
  if (PQsendQuery(connection_, "COMMIT") == 0) {
    return unknown("the connection broke");
  }
  while (true) {
    const int unsent = PQflush(connection_);
    if (unsent < 0) {
      return unknown("the connection broke");
    }
    if (unsent == 0 && PQisBusy(connection_) == 0) {
      break;
    }
    const absl::StatusOr<bool> ready = WaitForSocket(unsent > 0, until);
    if (!ready.ok() || !*ready) {
      return unknown(ready.ok() ? "no answer came in time" : "the connection broke");
    }
    if (PQconsumeInput(connection_) == 0) {
      return unknown("the connection broke");
    }
  }
  const ResultHolder result(PQgetResult(connection_));
  return JudgeCommit(result.get());
}

absl::Status PgConnection::JudgeCommit(const pg_result* result) {
  const std::string_view tag = result == nullptr ? "" : PQcmdStatus(const_cast<pg_result*>(result));
  if (PQresultStatus(result) == PGRES_COMMAND_OK && tag == "COMMIT" && warnings_ == 0) {
    // The end of the results, which has arrived as well.
    const ResultHolder end(PQgetResult(connection_));
    return absl::OkStatus();
  }
  if (PQresultStatus(result) == PGRES_COMMAND_OK && tag == "ROLLBACK") {
    return Broken(MakeError(Reason::kLiveChanged, "the server had given up the transaction"));
  }
  const char* const severity =
      result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (severity != nullptr && std::string_view(severity) == "ERROR" && warnings_ == 0) {
    return ServerRefused(result);
  }
  return Broken(MakeError(
      Reason::kCommitUnknown,
      warnings_ > 0
          ? "the outcome of the commit is not known: the server warned while it committed, as it "
            "does when a wait for synchronous replication is cut short"
          : "the outcome of the commit is not known: the connection broke"));
}

absl::Status PgConnection::Rollback() {
  return in_transaction() ? Execute("roll back", "ROLLBACK") : absl::OkStatus();
}

bool PgConnection::in_transaction() const {
  return !broken() && PQtransactionStatus(connection_) != PQTRANS_IDLE;
}

void PgConnection::Cancel() {
  cancelled_ = true;
  const uint64_t one = 1;
  // It can only fail if it is readable already.
  (void)!write(wake_, &one, sizeof(one));
}

absl::Status PgConnection::Start(std::string_view doing) {
  doing_ = std::string(doing);
  return CheckUsable();
}

absl::Status PgConnection::CheckUsable() {
  if (cancelled_) {
    return Broken(MakeError(Reason::kCancelled, "the session was cancelled"));
  }
  if (broken()) {
    return MakeError(Reason::kSessionLost,
                     absl::StrCat("could not ", doing_,
                                  ": the connection to the database was closed by an error"));
  }
  return absl::OkStatus();
}

absl::Status PgConnection::Flush() {
  while (true) {
    const int unsent = PQflush(connection_);
    if (unsent == 0) {
      return absl::OkStatus();
    }
    if (unsent < 0) {
      return Lost();
    }
    ASSIGN_OR_RETURN(const bool ready,
                     WaitForSocket(/*to_write=*/true, absl::Now() + options_.silence_timeout));
    if (!ready) {
      return Silent();
    }
    // What the server has to say must be read, or both sides wait for each other.
    if (PQconsumeInput(connection_) == 0) {
      return Lost();
    }
  }
}

absl::Status PgConnection::WaitForAnswer() {
  ASSIGN_OR_RETURN(const bool ready,
                   WaitForSocket(/*to_write=*/false, absl::Now() + options_.silence_timeout));
  if (!ready) {
    return Silent();
  }
  return PQconsumeInput(connection_) == 0 ? Lost() : absl::OkStatus();
}

// Settings may come before the COPY.
absl::Status PgConnection::ReadUntilCopy(int expected) {
  while (true) {
    while (PQisBusy(connection_) != 0) {
      RETURN_IF_ERROR(WaitForAnswer());
    }
    const ResultHolder result(PQgetResult(connection_));
    if (result.get() != nullptr && PQresultStatus(result.get()) == expected) {
      return absl::OkStatus();
    }
    if (result.get() != nullptr && IsFailure(PQresultStatus(result.get()))) {
      return ServerRefused(result.get());
    }
    if (result.get() == nullptr || PQresultStatus(result.get()) != PGRES_COMMAND_OK) {
      return Broken(MakeError(Reason::kInternal,
                              absl::StrCat("could not ", doing_,
                                           ": the server answered with something else; this is a "
                                           "fault of the program")));
    }
  }
}

// The next one, of which there must be one.
absl::StatusOr<PgResult> PgConnection::ReadResult() {
  while (PQisBusy(connection_) != 0) {
    RETURN_IF_ERROR(WaitForAnswer());
  }
  ResultHolder result(PQgetResult(connection_));
  if (result.get() == nullptr) {
    return Lost();
  }
  if (IsFailure(PQresultStatus(result.get()))) {
    return ServerRefused(result.get());
  }
  return PgResult(result.release());
}

// The next one, or nothing at the end of what was asked for.
absl::StatusOr<std::optional<PgResult>> PgConnection::ReadResultOrEnd() {
  while (PQisBusy(connection_) != 0) {
    RETURN_IF_ERROR(WaitForAnswer());
  }
  ResultHolder result(PQgetResult(connection_));
  if (result.get() == nullptr) {
    return std::nullopt;
  }
  if (IsFailure(PQresultStatus(result.get()))) {
    return ServerRefused(result.get());
  }
  if (IsCopy(PQresultStatus(result.get()))) {
    return Broken(MakeError(Reason::kInternal, "a COPY where none was expected"));
  }
  return PgResult(result.release());
}

absl::StatusOr<PgResult> PgConnection::ReadLastResult() {
  std::optional<PgResult> last;
  while (true) {
    ASSIGN_OR_RETURN(std::optional<PgResult> result, ReadResultOrEnd());
    if (!result.has_value()) {
      break;
    }
    last = std::move(result);
  }
  if (!last.has_value()) {
    return Lost();
  }
  return *std::move(last);
}

absl::StatusOr<std::vector<PgResult>> PgConnection::ReadRows() {
  std::vector<PgResult> rows;
  bool any = false;
  while (true) {
    ASSIGN_OR_RETURN(std::optional<PgResult> result, ReadResultOrEnd());
    if (!result.has_value()) {
      break;
    }
    any = true;
    if (result->has_rows()) {
      rows.push_back(*std::move(result));
    }
  }
  if (!any) {
    return Lost();
  }
  return rows;
}

absl::Status PgConnection::CheckShouldEnd() {
  absl::Status end = uncancellable_ ? absl::OkStatus() : AskShouldEnd(should_end_);
  return end.ok() ? end : Broken(std::move(end));
}

absl::StatusOr<bool> PgConnection::WaitForSocket(bool to_write, absl::Time until) {
  const absl::Duration longest = should_end_ ? kAskShouldEndEvery : kLongestWait;
  while (true) {
    RETURN_IF_ERROR(CheckShouldEnd());
    const absl::Duration left = std::clamp(until - absl::Now(), absl::ZeroDuration(), longest);
    std::array<pollfd, 2> fds = {
        pollfd{.fd = PQsocket(connection_),
               .events = static_cast<short>(to_write ? POLLIN | POLLOUT : POLLIN),
               .revents = 0},
        pollfd{.fd = uncancellable_ ? -1 : wake_, .events = POLLIN, .revents = 0}};
    const int got = poll(fds.data(), fds.size(), static_cast<int>(absl::ToInt64Milliseconds(left)));
    if (got < 0 && errno != EINTR) {
      return Lost();
    }
    if (fds[1].revents != 0) {
      return Broken(MakeError(Reason::kCancelled, "the session was cancelled"));
    }
    if (fds[0].revents != 0) {
      return true;
    }
    if (absl::Now() >= until) {
      return false;
    }
  }
}

absl::Status PgConnection::ServerRefused(const pg_result* result) {
  server_error_ = ServerErrorOf(result);
  return Broken(StatusOfServerError(server_error_, doing_));
}

absl::Status PgConnection::Silent() {
  return Broken(MakeError(
      Reason::kSessionLost,
      absl::StrCat("could not ", doing_, ": the database was silent for ",
                   absl::FormatDuration(options_.silence_timeout), "; the connection was closed")));
}

absl::Status PgConnection::Lost() {
  return Broken(MakeError(Reason::kSessionLost,
                          absl::StrCat("could not ", doing_, ": the connection broke")));
}

absl::Status PgConnection::Broken(absl::Status error) {
  Close();
  return error;
}

void PgConnection::Close() {
  PQfreemem(std::exchange(line_, nullptr));
  copies_left_ = 0;
  PQfinish(std::exchange(connection_, nullptr));
}

void PgConnection::Notice(void* self, const pg_result* notice) {
  const char* const severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (severity != nullptr && std::string_view(severity) == "WARNING") {
    ++static_cast<PgConnection*>(self)->warnings_;
  }
}

}  // namespace reinstate

#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/base/clock.h"
#include "storage/live/postgres/pg_result.h"
#include "storage/live/postgres/pg_settings.h"
#include "storage/live/postgres/pg_status.h"
#include "storage/live/should_end.h"

namespace reinstate {

// A parameter of a statement, $1 and on: its text, or NULL. Must hold no NUL byte.
using PgParam = std::optional<std::string>;

// One direct connection to a PostgreSQL server.
//
// Every error but one of Connect leaves it broken: it is closed at once, its transaction and locks
// are gone, and each further call fails with SESSION_LOST. Nothing is ever reused after an error.
// Messages name what was being done (`doing`: "read the catalog"), never values of rows.
//
// Not thread-safe, but for Cancel. All waits end: by an answer, by Cancel, as EndWhen says, or by
// the time-outs of the options.
class PgConnection {
 public:
  // UNAVAILABLE if the server cannot be reached or does not take connections now, NOT_ALLOWED if it
  // refuses the role or its password or has no such database, UNSUPPORTED if it is older than 15 or
  // something (a pooler) is between it and us, STORE_IDENTITY_CHANGED if it is not the database of
  // options.identity. `should_end` as for EndWhen; the name of a host is looked up without asking
  // it.
  static absl::StatusOr<std::unique_ptr<PgConnection>> Connect(const PgOptions& options,
                                                               ShouldEnd should_end = nullptr);

  ~PgConnection();
  PgConnection(const PgConnection&) = delete;
  PgConnection& operator=(const PgConnection&) = delete;

  // Which database of which cluster it is connected to. NOT_ALLOWED if the role may not execute
  // pg_control_system().
  absl::StatusOr<std::string> ReadIdentity();

  // Begins a transaction in which all settings that the text of values depends on are pinned, and
  // the time-outs of the role are off, and ends the one that is open. Takes no view: the next
  // statement does (SET TRANSACTION SNAPSHOT may come before it). UNSUPPORTED on a standby, unless
  // it only reads.
  absl::Status Begin(const PgTransaction& transaction);

  // As Begin, and runs `statements`, separated by semicolons, in it, all in one round trip. What
  // those of them give that give rows, in their order.
  absl::StatusOr<std::vector<PgResult>> BeginWith(const PgTransaction& transaction,
                                                  std::string_view doing,
                                                  const std::string& statements);

  // Runs one statement.
  absl::StatusOr<PgResult> Query(std::string_view doing, const std::string& sql,
                                 const std::vector<PgParam>& params = {});

  // As Query, for a statement that is run often: the server parses it once a connection, which
  // keeps it, and plans it once, if it has no parameters or they hardly matter to its plan. Takes a
  // view, as any query.
  absl::StatusOr<PgResult> QueryKept(std::string_view doing, const std::string& sql,
                                     const std::vector<PgParam>& params = {});

  // SQL that runs the statement that QueryKept would, to be put among others: they share one round
  // trip, but for the first time, when the server parses it.
  absl::StatusOr<std::string> KeptSql(std::string_view doing, const std::string& sql,
                                      const std::vector<PgParam>& params = {});

  // The one value of a query which cannot change as long as the connection lives, such as what
  // names the run of the server: asked once, unless it was NULL.
  absl::StatusOr<PgParam> AskOnce(std::string_view doing, const std::string& sql);

  // `settings`, which are SET LOCAL statements that each end with a semicolon, to be put before the
  // next statement of the transaction; empty if they were asked for last, so that they hold.
  std::string_view OnceSet(std::string_view settings);

  // Runs statements, separated by semicolons, in one round trip. What those of them give that give
  // rows, in their order.
  absl::StatusOr<std::vector<PgResult>> QueryAll(std::string_view doing, const std::string& sql);

  // As QueryAll; what they give is dropped.
  absl::Status Execute(std::string_view doing, const std::string& sql);

  // Runs COPY … TO STDOUT, which may follow SET statements in `sql`, or `copies` of them, of which
  // the first begins. Until NextLine gave false for the last of them or an error, or DropLines was
  // called, nothing else may be called.
  absl::Status StartCopyOut(std::string_view doing, const std::string& sql, size_t copies = 1);

  // Once NextLine gave false: begins the next COPY of those that were run, without a round trip of
  // its own.
  absl::Status NextCopyOut(std::string_view doing);

  // How many have not begun yet.
  size_t copies_left() const { return copies_left_; }

  // The next line in `*line`, without its newline, valid until the next call; false at the end,
  // which comes only once the server has confirmed that all was sent.
  absl::StatusOr<bool> NextLine(std::string_view* line);

  // Reads what is left of the lines, of all COPYs that were run.
  absl::Status DropLines();

  // Runs COPY … FROM STDIN, or several of them, separated by semicolons, of which the first begins.
  // Only PutLines, NextCopyIn (while there are more) and EndCopyIn may follow.
  absl::Status StartCopyIn(std::string_view doing, const std::string& sql);

  // Sends lines, each with its newline.
  absl::Status PutLines(std::string_view lines);

  // The number of rows that were copied.
  absl::StatusOr<int64_t> EndCopyIn();

  // As EndCopyIn, and the next COPY of those that were run begins, without a round trip of its own.
  absl::StatusOr<int64_t> NextCopyIn(std::string_view doing_next);

  // Commits. OK: done, and as durable as the server was told. LIVE_CHANGED, DEADLINE_EXCEEDED (it
  // was over before) and others: rolled back, surely. COMMIT_UNKNOWN: it may be either, which
  // includes a wait for synchronous replication that was cut short; the connection is broken then.
  // Once the commit was sent, Cancel no longer cuts it short. `deadline` is of `clock`.
  absl::Status Commit(absl::Time deadline, const Clock* clock);

  // Ends the transaction. OK if there is none, or the connection is broken, since either is so.
  absl::Status Rollback();

  // From any thread: makes the running call and all later ones fail with CANCELLED, and closes the
  // connection (by the thread that uses it, in its next or present call). Returns at once.
  void Cancel();

  // From now on calls that wait end, and break it, with what `should_end` gives, once it does; a
  // commit that was sent does not ask it.
  void EndWhen(ShouldEnd should_end) { should_end_ = std::move(should_end); }

  // Whether Cancel was called.
  bool cancelled() const { return cancelled_; }

  bool broken() const { return connection_ == nullptr; }
  bool in_transaction() const;

  // Of the error that broke it.
  const PgServerError& server_error() const { return server_error_; }

  // 150004 for 15.4.
  int server_version() const { return server_version_; }

  int backend_pid() const { return backend_pid_; }

  absl::Time connected_at() const { return connected_at_; }

  // PgOptions::identity.
  const std::string& expected_identity() const { return options_.identity; }

  // host:port/database, for people.
  const std::string& address() const { return address_; }

 private:
  explicit PgConnection(PgOptions options);

  absl::Status Open();
  absl::Status FinishConnect();
  absl::Status CheckDirect();
  absl::Status CheckIdentity();

  // Whether a call may begin; `doing` is kept for its messages and those that follow it.
  absl::Status Start(std::string_view doing);
  absl::Status CheckUsable();
  absl::Status SendText(const std::string& sql);
  absl::StatusOr<std::string> Keep(const std::string& sql);
  absl::Status CheckTakesWrites(const PgTransaction& transaction);
  absl::Status Flush();
  absl::Status WaitForAnswer();
  absl::Status ReadUntilCopy(int expected);
  absl::StatusOr<std::optional<PgResult>> ReadResultOrEnd();
  absl::StatusOr<PgResult> ReadLastResult();
  absl::StatusOr<std::vector<PgResult>> ReadRows();
  absl::StatusOr<PgResult> ReadResult();
  absl::Status PutCopyEnd();
  // What EndWhen was given says, or OK during a commit.
  absl::Status CheckShouldEnd();
  // Waits until the socket can be read (or, if asked for, written); false if that did not happen
  // before `until`.
  absl::StatusOr<bool> WaitForSocket(bool to_write, absl::Time until);
  absl::Status FinishCommit(absl::Time until);
  absl::Status JudgeCommit(const pg_result* result);

  // Each closes the connection and returns why.
  absl::Status CopyFailed();
  absl::Status ServerRefused(const pg_result* result);
  absl::Status Silent();
  absl::Status Lost();
  absl::Status Broken(absl::Status error);
  void Close();

  static void Notice(void* self, const pg_result* notice);

  const PgOptions options_;
  pg_conn* connection_ = nullptr;
  int wake_ = -1;  // readable once cancelled
  std::atomic<bool> cancelled_ = false;
  bool uncancellable_ = false;  // a commit is under way
  ShouldEnd should_end_;
  int warnings_ = 0;        // notices of severity WARNING since it was set to 0
  std::string doing_;       // the running call, for messages
  char* line_ = nullptr;    // of NextLine
  size_t copies_left_ = 0;  // of StartCopyOut
  int server_version_ = 0;
  int backend_pid_ = 0;
  std::string address_;
  absl::Time connected_at_ = absl::InfinitePast();
  PgServerError server_error_;
  std::map<std::string, std::string> kept_;  // names of statements that the server has prepared
  std::map<std::string, std::string> constants_;  // the answers of AskOnce by their queries
  std::string set_;                               // the last settings of the transaction
};

}  // namespace reinstate

#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "storage/live/postgres/postgres_session.h"
#include "tests/support/postgres_server.h"
#include "tests/support/status_matchers.h"

namespace reinstate {

// A database of its own, an application that is connected to it, and sessions of tenants, which are
// told by columns named tenant_id.
class SessionWorld : public testing::Test {
 protected:
  SessionWorld();

  // How the plausible way begins: with a view that stays, and silent triggers.
  static constexpr const char* kNaiveBegin =
      "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL session_replication_role = replica";

  // What the application does, and the only value of the only row that it asks for.
  void Run(const std::string& sql) { RunOn(app_.get(), sql); }
  std::string Value(const std::string& sql) { return ValueOn(app_.get(), sql); }
  static void RunOn(PgConnection* connection, const std::string& sql);
  static std::string ValueOn(PgConnection* connection, const std::string& sql);
  std::unique_ptr<PgConnection> Connect() const;

  // Waits until the server says so; until somebody is in the way of that backend.
  void WaitUntil(const std::string& condition);
  void WaitUntilBlocked(int pid);

  PostgresSession::Setup SetupFor(const std::string& tenant) const;
  std::unique_ptr<PostgresSession> Open(const std::string& tenant) const;
  // With a transaction begun.
  std::unique_ptr<PostgresSession> Transaction(const std::string& tenant) const;

  // The identity of a table.
  std::string Id(const std::string& table);

  static RowKey Key(const std::vector<std::string>& parts);
  Change Insert(const std::string& table, const std::vector<std::string>& key,
                const std::string& line);
  Change Delete(const std::string& table, const std::vector<std::string>& key,
                const std::string& line);
  Change Replace(const std::string& table, const std::vector<std::string>& key,
                 const std::string& before, const std::string& after);

  // The lines of a table that a session sees.
  std::vector<std::string> Read(PostgresSession* session, const std::string& table);

  // Applies, seals and commits; the first error.
  static absl::Status Commit(PostgresSession* session, const std::vector<Change>& changes);
  static absl::Status ApplyAll(PostgresSession* session, const std::vector<Change>& changes);
  static absl::Status SealAndCommit(PostgresSession* session);

  PostgresServer* const server_ = PostgresServer::Shared();
  const std::string database_ = server_->MakeDatabase();
  PgOptions options_;
  MapConfig config_;
  std::unique_ptr<PgConnection> app_;
};

}  // namespace reinstate

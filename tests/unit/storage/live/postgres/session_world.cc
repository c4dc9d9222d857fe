#include "tests/unit/storage/live/postgres/session_world.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/model/key_parts.h"

namespace reinstate {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);
constexpr absl::Duration kPoll = absl::Milliseconds(2);

}  // namespace

SessionWorld::SessionWorld() {
  options_.conninfo = server_->OnSocket(database_);
  options_.application_name = "application";
  options_.lock_timeout = absl::Seconds(2);
  config_.tenant_columns = {"tenant_id"};
  app_ = Connect();
}

std::unique_ptr<PgConnection> SessionWorld::Connect() const {
  auto connection = PgConnection::Connect(options_);
  EXPECT_THAT(connection, IsOk());
  return *std::move(connection);
}

void SessionWorld::RunOn(PgConnection* connection, const std::string& sql) {
  ASSERT_THAT(connection->Execute("run the application", sql), IsOk()) << sql;
}

std::string SessionWorld::ValueOn(PgConnection* connection, const std::string& sql) {
  const auto result = connection->Query("run the application", sql);
  EXPECT_THAT(result, IsOk()) << sql;
  return result.ok() && result->rows() == 1 ? std::string(result->Get(0, 0)) : "(none)";
}

void SessionWorld::WaitUntil(const std::string& condition) {
  const absl::Time until = absl::Now() + kPatience;
  while (Value(absl::StrCat("SELECT ", condition)) != "t") {
    ASSERT_LT(absl::Now(), until) << condition;
    absl::SleepFor(kPoll);
  }
}

void SessionWorld::WaitUntilBlocked(int pid) {
  WaitUntil(absl::StrCat("cardinality(pg_blocking_pids(", pid, ")) > 0"));
}

PostgresSession::Setup SessionWorld::SetupFor(const std::string& tenant) const {
  PostgresSession::Setup setup;
  setup.connection = options_;
  setup.config = config_;
  setup.tenant = TenantId::FromStored(tenant);
  setup.options = {.purpose = "test", .lock_timeout = absl::Seconds(10)};
  return setup;
}

std::unique_ptr<PostgresSession> SessionWorld::Open(const std::string& tenant) const {
  auto session = PostgresSession::Open(SetupFor(tenant));
  EXPECT_THAT(session, IsOk());
  return session.ok() ? *std::move(session) : nullptr;
}

std::unique_ptr<PostgresSession> SessionWorld::Transaction(const std::string& tenant) const {
  auto session = Open(tenant);
  EXPECT_THAT(session->Begin(), IsOk());
  return session;
}

std::string SessionWorld::Id(const std::string& table) {
  return Value(absl::StrCat("SELECT '", table, "'::regclass::oid"));
}

RowKey SessionWorld::Key(const std::vector<std::string>& parts) {
  std::string key;
  for (const std::string& part : parts) {
    AppendKeyPart(part, &key);
  }
  return RowKey(key);
}

Change SessionWorld::Insert(const std::string& table, const std::vector<std::string>& key,
                            const std::string& line) {
  return {.kind = ChangeKind::kInsert,
          .table = Id(table),
          .key = Key(key),
          .old_payload = "",
          .new_payload = line};
}

Change SessionWorld::Delete(const std::string& table, const std::vector<std::string>& key,
                            const std::string& line) {
  return {.kind = ChangeKind::kDelete,
          .table = Id(table),
          .key = Key(key),
          .old_payload = line,
          .new_payload = ""};
}

Change SessionWorld::Replace(const std::string& table, const std::vector<std::string>& key,
                             const std::string& before, const std::string& after) {
  return {.kind = ChangeKind::kReplace,
          .table = Id(table),
          .key = Key(key),
          .old_payload = before,
          .new_payload = after};
}

std::vector<std::string> SessionWorld::Read(PostgresSession* session, const std::string& table) {
  std::vector<std::string> lines;
  const auto stream = session->ReadTable(Id(table));
  EXPECT_THAT(stream, IsOk());
  Record record;
  while (stream.ok()) {
    const auto more = (*stream)->Next(&record);
    EXPECT_THAT(more, IsOk());
    if (!more.ok() || !*more) {
      break;
    }
    lines.push_back(record.payload);
  }
  return lines;
}

absl::Status SessionWorld::ApplyAll(PostgresSession* session, const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    if (absl::Status status = session->Apply(change); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status SessionWorld::SealAndCommit(PostgresSession* session) {
  if (const auto token = session->Seal(); !token.ok()) {
    return token.status();
  }
  return session->Commit(absl::Now() + absl::Minutes(1));
}

absl::Status SessionWorld::Commit(PostgresSession* session, const std::vector<Change>& changes) {
  const absl::Status status = ApplyAll(session, changes);
  return status.ok() ? SealAndCommit(session) : status;
}

}  // namespace reinstate

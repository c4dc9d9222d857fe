// Deferrable unique constraints, which the server does not look at while triggers are silent.

#include "storage/live/postgres/unique_check.h"

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/unit/storage/live/postgres/session_world.h"

namespace reinstate {
namespace {

using testing::HasSubstr;

class UniqueCheckTest : public SessionWorld {
 protected:
  void MakeDocs() {
    Run("CREATE TABLE doc(id int PRIMARY KEY, tenant_id text, number int UNIQUE DEFERRABLE)");
  }

  // A transaction of that tenant that has written the row.
  std::unique_ptr<PostgresSession> Written(const std::string& tenant, const std::string& id,
                                           const std::string& number) {
    auto session = Transaction(tenant);
    EXPECT_THAT(session->Apply(Insert("doc", {id}, absl::StrCat(id, "\t", tenant, "\t", number))),
                IsOk());
    EXPECT_EQ(Read(session.get(), "doc").size(), 1) << "it has been sent";
    return session;
  }

  static absl::Status Commit(PostgresSession* session) {
    return session->Commit(absl::Now() + absl::Minutes(1));
  }
  using SessionWorld::Commit;
};

TEST_F(UniqueCheckTest, ADeferrableConstraintIsNotLookedAtWhileTriggersAreSilent) {
  MakeDocs();
  Run("INSERT INTO doc VALUES (1, 'b', 7)");
  const auto naive = Connect();
  RunOn(naive.get(), kNaiveBegin);
  RunOn(naive.get(), "INSERT INTO doc VALUES (2, 'a', 7)");
  RunOn(naive.get(), "COMMIT");
  EXPECT_EQ(Value("SELECT count(*) FROM doc WHERE number = 7"), "2") << "the control arm";

  Run("DELETE FROM doc WHERE id = 2");
  const absl::Status status = Commit(Transaction("a").get(), {Insert("doc", {"2"}, "2\ta\t7")});
  EXPECT_THAT(status, FailsWith(Reason::kKeyConflict));
  EXPECT_THAT(std::string(status.message()), HasSubstr("doc_number_key"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("one of them row 2"));
  EXPECT_EQ(Value("SELECT count(*) FROM doc WHERE number = 7"), "1");
  EXPECT_THAT(Commit(Transaction("a").get(),
                     {Insert("doc", {"2"}, "2\ta\t8"), Insert("doc", {"3"}, "3\ta\t\\N")}),
              IsOk());
}

TEST_F(UniqueCheckTest, AWriterThatDidNotSeeOurValueCommitsItTwice) {
  MakeDocs();
  const auto writer = Connect();
  RunOn(writer.get(), "BEGIN; INSERT INTO doc VALUES (1, 'b', 7)");
  const auto naive = Connect();
  RunOn(naive.get(), kNaiveBegin);
  RunOn(naive.get(), "INSERT INTO doc VALUES (2, 'a', 7)");
  EXPECT_EQ(ValueOn(naive.get(), "SELECT count(*) FROM doc WHERE number = 7"), "1");
  EXPECT_EQ(Value("SELECT count(*) FROM doc WHERE number = 7"), "0") << "both its checks pass";
  RunOn(naive.get(), "COMMIT");
  RunOn(writer.get(), "COMMIT");
  EXPECT_EQ(Value("SELECT count(*) FROM doc WHERE number = 7"), "2") << "the control arm";

  Run("TRUNCATE doc");
  RunOn(writer.get(), "BEGIN; INSERT INTO doc VALUES (1, 'b', 7)");
  options_.lock_timeout = absl::Seconds(20);
  const auto session = Transaction("a");
  ASSERT_THAT(ApplyAll(session.get(), {Insert("doc", {"2"}, "2\ta\t7")}), IsOk());
  absl::Status sealed;
  std::thread restore([&] { sealed = session->Seal().status(); });
  // Until the session has written and asks who else writes.
  WaitUntil(
      "EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_locks%' AND "
      "application_name = 'reinstate test')");
  RunOn(writer.get(), "COMMIT");
  restore.join();
  EXPECT_THAT(sealed, FailsWith(Reason::kLiveChanged));
  EXPECT_THAT(session->Rollback(), IsOk());
  EXPECT_EQ(Value("SELECT count(*) FROM doc WHERE number = 7"), "1");
}

TEST_F(UniqueCheckTest, AWriterThatDoesNotEndMakesItFailInTime) {
  MakeDocs();
  const auto writer = Connect();
  RunOn(writer.get(), "BEGIN; INSERT INTO doc VALUES (1, 'b', 7)");
  options_.lock_timeout = absl::Milliseconds(200);
  EXPECT_THAT(Commit(Transaction("a").get(), {Insert("doc", {"2"}, "2\ta\t8")}),
              FailsWith(Reason::kLiveChanged));
}

TEST_F(UniqueCheckTest, ADeferrablePrimaryKeyIsNotLookedAtEither) {
  Run("CREATE TABLE doc(id int PRIMARY KEY DEFERRABLE, tenant_id text)");
  Run("INSERT INTO doc VALUES (1, 'b')");
  const auto naive = Connect();
  RunOn(naive.get(), absl::StrCat(kNaiveBegin, "; INSERT INTO doc VALUES (1, 'a'); COMMIT"));
  EXPECT_EQ(Value("SELECT count(*) FROM doc WHERE id = 1"), "2") << "the control arm";

  Run("DELETE FROM doc WHERE tenant_id = 'a'");
  const absl::Status status = Commit(Transaction("a").get(), {Insert("doc", {"1"}, "1\ta")});
  EXPECT_THAT(status, FailsWith(Reason::kKeyConflict));
  EXPECT_THAT(std::string(status.message()), HasSubstr("doc_pkey"));
  const auto session = Transaction("a");
  Run("INSERT INTO doc VALUES (2, 'b')");
  EXPECT_THAT(Commit(session.get(), {Insert("doc", {"2"}, "2\ta")}),
              FailsWith(Reason::kLiveChanged));
  EXPECT_EQ(Value("SELECT count(*) FROM doc"), "2");
}

TEST_F(UniqueCheckTest, NullsThatAreNotDistinctAreComparedWithWhatCameMeanwhile) {
  Run("CREATE TABLE doc(id int PRIMARY KEY, tenant_id text, part int, number int, "
      "UNIQUE NULLS NOT DISTINCT (part, number) DEFERRABLE)");
  const auto naive = Connect();
  RunOn(naive.get(), kNaiveBegin);
  EXPECT_EQ(ValueOn(naive.get(), "SELECT count(*) FROM doc"), "0");
  Run("INSERT INTO doc VALUES (1, 'b', 7, NULL)");
  RunOn(naive.get(), "INSERT INTO doc VALUES (2, 'a', 7, NULL)");
  RunOn(naive.get(), "COMMIT");
  EXPECT_EQ(Value("SELECT count(*) FROM doc WHERE part = 7"), "2") << "the control arm";

  for (const std::string values : {"7\t\\N", "\\N\t7", "\\N\t\\N", "7\t7"}) {
    Run("DELETE FROM doc");
    const auto session = Transaction("a");
    Run("INSERT INTO doc VALUES (1, 'b', 7, NULL), (2, 'b', NULL, 7), (3, 'b', NULL, NULL), "
        "(4, 'b', 7, 7)");
    EXPECT_THAT(Commit(session.get(), {Insert("doc", {"9"}, absl::StrCat("9\ta\t", values))}),
                FailsWith(Reason::kLiveChanged))
        << values;
  }
  const auto session = Transaction("a");
  Run("INSERT INTO doc VALUES (5, 'b', 8, NULL)");
  EXPECT_THAT(Commit(session.get(), {Insert("doc", {"9"}, "9\ta\t\\N\t8")}), IsOk());
}

TEST_F(UniqueCheckTest, SessionsDoNotWaitForEachOther) {
  MakeDocs();
  options_.lock_timeout = absl::Milliseconds(300);
  const auto one = Written("a", "1", "7");
  const auto other = Written("b", "2", "8");
  ASSERT_THAT(one->Seal(), IsOk()) << "the other one has written, and has not ended";
  ASSERT_THAT(Commit(one.get()), IsOk());
  EXPECT_THAT(SealAndCommit(other.get()), IsOk());
  EXPECT_EQ(Value("SELECT count(*) FROM doc"), "2");
}

TEST_F(UniqueCheckTest, TwoSessionsThatDoNotSeeEachOtherWriteAValueOnce) {
  MakeDocs();
  const auto naive = Connect();
  const auto other_naive = Connect();
  RunOn(naive.get(), absl::StrCat(kNaiveBegin, "; INSERT INTO doc VALUES (1, 'a', 7)"));
  RunOn(other_naive.get(), absl::StrCat(kNaiveBegin, "; INSERT INTO doc VALUES (2, 'b', 7)"));
  EXPECT_EQ(Value("SELECT count(*) FROM doc"), "0") << "the checks of both pass";
  RunOn(naive.get(), "COMMIT");
  RunOn(other_naive.get(), "COMMIT");
  EXPECT_EQ(Value("SELECT count(*) FROM doc WHERE number = 7"), "2") << "the control arm";

  Run("TRUNCATE doc");
  options_.lock_timeout = absl::Seconds(20);
  const auto one = Written("a", "1", "7");
  const auto other = Written("b", "2", "7");
  ASSERT_THAT(one->Seal(), IsOk());
  absl::Status sealed;
  std::thread second([&] { sealed = other->Seal().status(); });
  WaitUntil("EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)");
  ASSERT_THAT(Commit(one.get()), IsOk());
  second.join();
  EXPECT_THAT(sealed, FailsWith(Reason::kLiveChanged));
  EXPECT_THAT(other->Rollback(), IsOk());
  EXPECT_EQ(Value("SELECT count(*) FROM doc WHERE number = 7"), "1");
}

TEST_F(UniqueCheckTest, WhoWritesToACopyOfTheDatabaseIsNotWaitedFor) {
  MakeDocs();
  app_ = nullptr;
  options_.conninfo = server_->OnSocket("postgres");
  RunOn(Connect().get(),
        absl::StrCat("CREATE DATABASE copy_of_", database_, " TEMPLATE ", database_));
  options_.conninfo = server_->OnSocket(absl::StrCat("copy_of_", database_));
  const auto writer = Connect();
  RunOn(writer.get(), "BEGIN; INSERT INTO doc VALUES (1, 'b', 7)");
  const std::string table = ValueOn(writer.get(), "SELECT 'doc'::regclass::oid");
  options_.conninfo = server_->OnSocket(database_);
  app_ = Connect();
  ASSERT_EQ(Id("doc"), table);
  options_.lock_timeout = absl::Milliseconds(300);
  EXPECT_THAT(Commit(Transaction("a").get(), {Insert("doc", {"2"}, "2\ta\t7")}), IsOk());
}

}  // namespace
}  // namespace reinstate

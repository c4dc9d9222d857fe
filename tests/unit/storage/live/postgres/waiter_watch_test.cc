#include "storage/live/postgres/waiter_watch.h"

#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/unit/storage/live/postgres/session_world.h"

namespace reinstate {
namespace {

using testing::HasSubstr;

class WaiterWatchTest : public SessionWorld {
 protected:
  WaiterWatchTest() {
    options_.lock_timeout = absl::Seconds(20);
    Run("CREATE TABLE issue(id int PRIMARY KEY, tenant_id text, title text)");
    Run("INSERT INTO issue VALUES (1, 'a', 'one')");
  }

  std::unique_ptr<PostgresSession> Begin(absl::Duration give_way_after) {
    auto setup = SetupFor("a");
    setup.give_way_after = give_way_after;
    auto session = PostgresSession::Open(std::move(setup));
    EXPECT_THAT(session, IsOk());
    EXPECT_THAT((*session)->Begin(), IsOk());
    return *std::move(session);
  }

  // Until somebody has waited for so long that a session would have given way to him.
  void WaitUntilSomebodyHasWaited() {
    WaitUntil(
        "EXISTS (SELECT FROM pg_locks WHERE NOT granted AND clock_timestamp() - waitstart > "
        "'400ms')");
  }

  // ALTER TABLE, by somebody else, on a thread of its own.
  std::thread Alter(const std::string& column) {
    altering_ = Connect();
    return std::thread([this, column] {
      altered_ = altering_->Execute("alter",
                                    absl::StrCat("ALTER TABLE issue ADD COLUMN ", column, " int"));
    });
  }

  std::unique_ptr<PgConnection> altering_;
  absl::Status altered_;
};

TEST_F(WaiterWatchTest, GivesWayToWhoWaitsForATable) {
  {
    // The control arm: whoever comes after the ALTER TABLE waits as well, if only to read.
    const auto naive = Connect();
    RunOn(naive.get(), kNaiveBegin);
    RunOn(naive.get(), "SELECT count(*) FROM issue");
    std::thread altering = Alter("one");
    WaitUntilBlocked(altering_->backend_pid());
    const auto reader = Connect();
    std::thread reading([&] { RunOn(reader.get(), "SELECT count(*) FROM issue"); });
    WaitUntilBlocked(reader->backend_pid());
    RunOn(naive.get(), "ROLLBACK");
    altering.join();
    reading.join();
    EXPECT_THAT(altered_, IsOk());
  }
  const auto session = Begin(absl::Milliseconds(200));
  ASSERT_THAT(session->Apply(Insert("issue", {"2"}, "2\ta\t\\N\t\\N")), IsOk());
  ASSERT_EQ(Read(session.get(), "issue").size(), 2);
  // Without the session giving way, this would fail by its time-out.
  Alter("more").join();
  EXPECT_THAT(altered_, IsOk());
  const absl::Status status = session->ReadTable(Id("issue")).status();
  EXPECT_THAT(status, FailsWith(Reason::kLiveChanged));
  EXPECT_THAT(std::string(status.message()), HasSubstr("gave way"));
  ASSERT_THAT(session->Rollback(), IsOk()) << "it still has its tenant";
  ASSERT_THAT(session->Begin(), IsOk());
  EXPECT_THAT(Commit(session.get(), {Insert("issue", {"2"}, "2\ta\t\\N\t\\N\t\\N")}), IsOk());
}

TEST_F(WaiterWatchTest, NotOnceItIsSealed) {
  const auto session = Begin(absl::Milliseconds(100));
  ASSERT_THAT(ApplyAll(session.get(), {Insert("issue", {"2"}, "2\ta\t\\N")}), IsOk());
  ASSERT_THAT(session->Seal(), IsOk());
  std::thread altering = Alter("more");
  WaitUntilSomebodyHasWaited();
  EXPECT_THAT(session->Commit(absl::Now() + absl::Minutes(1)), IsOk());
  EXPECT_THAT(session->Rollback(), IsOk());  // so that nobody waits for ever
  altering.join();
  EXPECT_THAT(altered_, IsOk());
  EXPECT_EQ(Value("SELECT count(*) FROM issue"), "2");
}

TEST_F(WaiterWatchTest, WhoWaitsForARowIsLetWait) {
  const auto session = Begin(absl::Milliseconds(100));
  ASSERT_THAT(session->Apply(Replace("issue", {"1"}, "1\ta\tone", "1\ta\tuno")), IsOk());
  ASSERT_EQ(Read(session.get(), "issue").size(), 1) << "it has been sent";
  const auto writer = Connect();
  std::thread writing([&] { RunOn(writer.get(), "UPDATE issue SET title = title || '!'"); });
  WaitUntilSomebodyHasWaited();
  EXPECT_THAT(SealAndCommit(session.get()), IsOk());
  EXPECT_THAT(session->Rollback(), IsOk());  // so that nobody waits for ever
  writing.join();
  EXPECT_EQ(Value("SELECT title FROM issue"), "uno!");
}

}  // namespace
}  // namespace reinstate

#include "storage/live/postgres/sequence_mover.h"

#include <atomic>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/storage/live/postgres/session_world.h"

namespace reinstate {
namespace {

class SequenceMoverTest : public SessionWorld {};

TEST_F(SequenceMoverTest, SettingASequenceMovesItBackWhileOthersUseIt) {
  Run("CREATE TABLE log(id bigserial PRIMARY KEY, tenant_id text)");
  Run("INSERT INTO log(tenant_id) SELECT 'b' FROM generate_series(1, 10)");
  const std::string highest = Value("SELECT max(id) FROM log");
  Run("INSERT INTO log(tenant_id) SELECT 'b' FROM generate_series(1, 5)");
  Run(absl::StrCat("SELECT setval('log_id_seq', ", highest, ")"));
  EXPECT_FALSE(Connect()->Execute("log", "INSERT INTO log(tenant_id) VALUES ('b')").ok())
      << "the control arm: the application's next row collides";

  Run("SELECT setval('log_id_seq', 100)");
  ASSERT_THAT(Commit(Transaction("a").get(), {Insert("log", {"50"}, "50\ta")}), IsOk());
  EXPECT_EQ(Value("SELECT last_value FROM log_id_seq"), "100") << "it is left alone";
  ASSERT_THAT(Commit(Transaction("a").get(), {Insert("log", {"25000"}, "25000\ta")}), IsOk());
  EXPECT_EQ(Value("INSERT INTO log(tenant_id) VALUES ('b') RETURNING id"), "25001")
      << "it is moved past what it would run into";
  Run("CREATE SEQUENCE down INCREMENT -5 MINVALUE -1000000 START -1; ALTER TABLE log ALTER id SET "
      "DEFAULT nextval('down'); ALTER SEQUENCE down OWNED BY log.id");
  ASSERT_THAT(Commit(Transaction("a").get(), {Insert("log", {"-46"}, "-46\ta")}), IsOk());
  EXPECT_EQ(Value("INSERT INTO log(tenant_id) VALUES ('b') RETURNING id"), "-51");
}

TEST_F(SequenceMoverTest, ASequenceOfSeveralTablesIsMovedOnlyOnce) {
  Run("CREATE SEQUENCE ids");
  for (const char* name : {"log", "trail"}) {
    Run(absl::StrCat("CREATE TABLE ", name,
                     "(id bigint PRIMARY KEY DEFAULT nextval('ids'), tenant_id text)"));
  }
  ASSERT_THAT(Commit(Transaction("a").get(), {Insert("log", {"15000"}, "15000\ta"),
                                              Insert("trail", {"14000"}, "14000\ta")}),
              IsOk());
  EXPECT_EQ(Value("INSERT INTO log(tenant_id) VALUES ('b') RETURNING id"), "15001");
}

TEST_F(SequenceMoverTest, ASequenceRunsOnBelowRowsThatDidNotComeFromIt) {
  Run("CREATE TABLE log(id bigserial PRIMARY KEY, tenant_id text)");
  ASSERT_THAT(Commit(Transaction("a").get(),
                     {Insert("log", {"9000000000000000000"}, "9000000000000000000\ta")}),
              IsOk());
  EXPECT_EQ(Value("INSERT INTO log(tenant_id) VALUES ('b') RETURNING id"), "1")
      << "an id that the application made itself is nothing to run into";
  ASSERT_THAT(Commit(Transaction("a").get(),
                     {Insert("log", {"40"}, "40\ta"),
                      Insert("log", {"8000000000000000000"}, "8000000000000000000\ta")}),
              IsOk());
  EXPECT_EQ(Value("INSERT INTO log(tenant_id) VALUES ('b') RETURNING id"), "41");
}

TEST_F(SequenceMoverTest, SettingASequenceTakesBackWhatWasDrawnInBetween) {
  Run("CREATE TABLE log(id bigserial PRIMARY KEY, tenant_id text)");
  const auto naive = Connect();
  RunOn(naive.get(), kNaiveBegin);
  RunOn(naive.get(), "INSERT INTO log VALUES (3, 'a')");
  EXPECT_EQ(ValueOn(naive.get(), "SELECT last_value FROM log_id_seq"), "1") << "it would collide";
  Run("SELECT count(nextval('log_id_seq')) FROM generate_series(1, 5)");
  Run("INSERT INTO log VALUES (4, 'b'), (5, 'b')");
  RunOn(naive.get(), "SELECT setval('log_id_seq', 3)");
  RunOn(naive.get(), "COMMIT");
  const auto application = Connect();
  EXPECT_FALSE(application->Execute("log", "INSERT INTO log(tenant_id) VALUES ('b')").ok());
  EXPECT_EQ(application->server_error().sqlstate, "23505") << "the control arm";
}

TEST_F(SequenceMoverTest, TheApplicationNeverDrawsAValueTwiceWhileASequenceIsMoved) {
  Run("CREATE TABLE log(id bigserial PRIMARY KEY, tenant_id text)");
  const auto application = Connect();
  std::atomic<bool> done = false;
  std::vector<int64_t> drawn;
  std::thread drawing([&] {
    while (!done) {
      const auto next = application->Query("draw", "SELECT nextval('log_id_seq')");
      drawn.push_back(next.ok() ? next->GetInt(0, 0) : -1);
    }
  });
  absl::Status committed;
  for (int i = 1; i <= 20 && committed.ok(); ++i) {
    const std::string id = absl::StrCat(i * 20'000);
    committed = Commit(Transaction("a").get(), {Insert("log", {id}, absl::StrCat(id, "\ta"))});
  }
  done = true;
  drawing.join();
  ASSERT_THAT(committed, IsOk());
  for (size_t i = 1; i < drawn.size(); ++i) {
    ASSERT_LT(drawn[i - 1], drawn[i]);
  }
  EXPECT_GT(std::stoll(Value("SELECT nextval('log_id_seq')")), 400'000);
}

}  // namespace
}  // namespace reinstate

// Triggers and rules while a session writes, beside what they do under the plain statements.

#include "absl/strings/str_cat.h"
#include "tests/unit/storage/live/postgres/session_world.h"

namespace reinstate {
namespace {

using testing::HasSubstr;

class SilentTriggersTest : public SessionWorld {
 protected:
  SilentTriggersTest() {
    Run("CREATE TABLE issue(id int PRIMARY KEY, tenant_id text, title text)");
    Run("CREATE TABLE outbox(mail text)");
    Run("CREATE FUNCTION send() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO outbox "
        "VALUES (NEW.title); RETURN NEW; END$$");
    Run("CREATE TRIGGER mailing AFTER INSERT ON issue FOR EACH ROW EXECUTE FUNCTION send()");
  }

  std::string Mails() { return Value("SELECT count(*) FROM outbox"); }

  void RunNaively(const std::string& sql) {
    const auto naive = Connect();
    RunOn(naive.get(), absl::StrCat(kNaiveBegin, "; ", sql, "; COMMIT"));
  }

  void ExpectRefused(const Change& change, const std::string& name) {
    const absl::Status status = Commit(Transaction("a").get(), {change});
    EXPECT_THAT(status, FailsWith(Reason::kUnsupported));
    EXPECT_THAT(std::string(status.message()), HasSubstr(name));
  }
};

TEST_F(SilentTriggersTest, AnOrdinaryTriggerStaysSilent) {
  EXPECT_THAT(Commit(Transaction("a").get(), {Insert("issue", {"4"}, "4\ta\tx")}), IsOk());
  EXPECT_EQ(Mails(), "0");
}

TEST_F(SilentTriggersTest, ATriggerThatIsEnabledAlwaysFiresAllTheSame) {
  Run("ALTER TABLE issue ENABLE ALWAYS TRIGGER mailing");
  RunNaively("INSERT INTO issue VALUES (3, 'a')");
  EXPECT_EQ(Mails(), "1") << "the control arm";
  ExpectRefused(Insert("issue", {"4"}, "4\ta\tx"), "trigger mailing");
  EXPECT_EQ(Mails(), "1");
}

TEST_F(SilentTriggersTest, ATriggerForReplicasFiresOnlyThen) {
  Run("ALTER TABLE issue ENABLE REPLICA TRIGGER mailing");
  Run("INSERT INTO issue VALUES (3, 'a')");
  EXPECT_EQ(Mails(), "0");
  RunNaively("INSERT INTO issue VALUES (4, 'a')");
  EXPECT_EQ(Mails(), "1") << "the control arm";
  ExpectRefused(Insert("issue", {"5"}, "5\ta\tx"), "trigger mailing");
  EXPECT_EQ(Mails(), "1");
}

TEST_F(SilentTriggersTest, ARuleThatIsEnabledForThatFires) {
  Run("CREATE RULE noting AS ON DELETE TO issue DO ALSO INSERT INTO outbox VALUES (OLD.title)");
  Run("INSERT INTO issue VALUES (1, 'a', 'x'), (2, 'a', 'x'), (3, 'a', 'x'), (4, 'a', 'x')");
  Run("DELETE FROM outbox");
  EXPECT_THAT(Commit(Transaction("a").get(), {Delete("issue", {"1"}, "1\ta\tx")}), IsOk());
  EXPECT_EQ(Mails(), "0") << "an ordinary one stays silent";
  int fired = 0;
  for (const std::string when : {"ALWAYS", "REPLICA"}) {
    Run(absl::StrCat("ALTER TABLE issue ENABLE ", when, " RULE noting"));
    RunNaively(absl::StrCat("DELETE FROM issue WHERE id = ", fired + 2));
    EXPECT_EQ(Mails(), std::to_string(++fired)) << "the control arm";
    ExpectRefused(Delete("issue", {"4"}, "4\ta\tx"), "rule noting");
    EXPECT_EQ(Mails(), std::to_string(fired));
  }
}

}  // namespace
}  // namespace reinstate

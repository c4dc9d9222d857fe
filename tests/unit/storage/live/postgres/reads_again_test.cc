// What a session reads after it has written: all that it read before, in one go, if it is read in
// the same order; and whatever else is asked of it meanwhile.

#include <gmock/gmock.h>

#include "tests/unit/storage/live/postgres/session_world.h"

namespace reinstate {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class ReadsAgainTest : public SessionWorld {
 protected:
  ReadsAgainTest() {
    for (const std::string table : {"a", "b", "c"}) {
      Run("CREATE TABLE " + table + "(id int PRIMARY KEY, tenant_id text);" + "CREATE INDEX ON " +
          table + "(tenant_id); INSERT INTO " + table + " VALUES (1, 'x'), (2, 'y')");
    }
    session_ = Transaction("x");
    for (const std::string table : {"a", "b", "c"}) {
      EXPECT_THAT(Read(session_.get(), table), ElementsAre("1\tx"));
    }
    EXPECT_THAT(ApplyAll(session_.get(), {Insert("a", {"3"}, "3\tx"), Insert("b", {"4"}, "4\tx")}),
                IsOk());
  }

  std::vector<std::string> ReadUnordered(const std::string& table, size_t most = SIZE_MAX) {
    const auto stream = session_->ReadTableUnordered(Id(table));
    EXPECT_THAT(stream, IsOk());
    std::vector<std::string> lines;
    Record record;
    while (stream.ok() && lines.size() < most) {
      const auto more = (*stream)->Next(&record);
      EXPECT_THAT(more, IsOk());
      if (!more.ok() || !*more) {
        break;
      }
      lines.push_back(record.payload);
    }
    return lines;
  }

  std::unique_ptr<PostgresSession> session_;
};

TEST_F(ReadsAgainTest, GivesAllTablesInTheOrderInWhichTheyWereReadBefore) {
  EXPECT_THAT(ReadUnordered("a"), UnorderedElementsAre("1\tx", "3\tx"));
  EXPECT_THAT(ReadUnordered("b"), UnorderedElementsAre("1\tx", "4\tx"));
  EXPECT_THAT(ReadUnordered("c"), UnorderedElementsAre("1\tx"));
  EXPECT_THAT(SealAndCommit(session_.get()), IsOk());
  EXPECT_EQ(Value("SELECT count(*) FROM a"), "3");
}

TEST_F(ReadsAgainTest, GivesThemInAnyOtherOrder) {
  EXPECT_THAT(ReadUnordered("a"), UnorderedElementsAre("1\tx", "3\tx"));
  EXPECT_THAT(ReadUnordered("c"), UnorderedElementsAre("1\tx"));
  EXPECT_THAT(ReadUnordered("b"), UnorderedElementsAre("1\tx", "4\tx"));
  EXPECT_THAT(ReadUnordered("a"), UnorderedElementsAre("1\tx", "3\tx"));
  EXPECT_THAT(Read(session_.get(), "b"), ElementsAre("1\tx", "4\tx"));
  EXPECT_THAT(SealAndCommit(session_.get()), IsOk());
}

TEST_F(ReadsAgainTest, CommitsAlsoIfNotAllIsReadThatWasReadBefore) {
  EXPECT_THAT(ReadUnordered("a"), UnorderedElementsAre("1\tx", "3\tx"));
  EXPECT_THAT(SealAndCommit(session_.get()), IsOk());
  EXPECT_EQ(Value("SELECT count(*) FROM b"), "3");
}

TEST_F(ReadsAgainTest, CommitsAlsoIfATableIsReadInPart) {
  EXPECT_EQ(ReadUnordered("a", 1).size(), 1);
  EXPECT_THAT(ReadUnordered("b"), UnorderedElementsAre("1\tx", "4\tx"));
  EXPECT_THAT(SealAndCommit(session_.get()), IsOk());
}

TEST_F(ReadsAgainTest, WritesMoreInBetween) {
  EXPECT_THAT(ReadUnordered("a"), UnorderedElementsAre("1\tx", "3\tx"));
  ASSERT_THAT(ApplyAll(session_.get(), {Insert("b", {"5"}, "5\tx")}), IsOk());
  EXPECT_THAT(ReadUnordered("b"), UnorderedElementsAre("1\tx", "4\tx", "5\tx"));
  EXPECT_THAT(SealAndCommit(session_.get()), IsOk());
}

TEST_F(ReadsAgainTest, IsOfNoTransactionButItsOwn) {
  ASSERT_THAT(session_->Rollback(), IsOk());
  ASSERT_THAT(session_->Begin(), IsOk());
  EXPECT_THAT(ReadUnordered("b"), ElementsAre("1\tx"));
  ASSERT_THAT(ApplyAll(session_.get(), {Delete("b", {"1"}, "1\tx")}), IsOk());
  EXPECT_THAT(ReadUnordered("b"), IsEmpty());
  EXPECT_THAT(ReadUnordered("a"), ElementsAre("1\tx"));
  EXPECT_THAT(SealAndCommit(session_.get()), IsOk());
}

}  // namespace
}  // namespace reinstate

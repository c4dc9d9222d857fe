#include "server/restore/evidence.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "storage/live/memory/memory_store.h"

namespace reinstate {
namespace {

const char kTable[] = "issues";

// The tenant "t" of a store in memory, and evidence of a restore of it.
class EvidenceTest : public testing::Test {
 protected:
  void Write(const std::string& key, std::optional<std::string> payload) {
    const RecordWrite write{.tenant = *TenantId::Parse("t"),
                            .table = kTable,
                            .key = RowKey(key),
                            .payload = std::move(payload)};
    ASSERT_TRUE(store_.Write({&write, 1}, false).ok());
  }

  CommitOutcome Judge(const state::Evidence& evidence) {
    auto session = *store_.OpenTenant(*TenantId::Parse("t"), {});
    EXPECT_TRUE(session->Begin().ok());
    return *JudgeEvidence(evidence, map_, session.get());
  }

  // Of a restore that made these changes: deletions of d1 and d2, replacement of r, insertion of i.
  static state::Evidence Of(std::initializer_list<ChangeKind> kinds) {
    int64_t deletions = 0;
    for (const ChangeKind kind : kinds) {
      deletions += kind == ChangeKind::kDelete ? 1 : 0;
    }
    EvidenceCollector collector(deletions, static_cast<int64_t>(kinds.size()) - deletions);
    int number = 0;
    for (const ChangeKind kind : kinds) {
      Action action{
          .kind = kind, .table = 0, .key = "", .old_payload = "old", .new_payload = "new"};
      action.key = (kind == ChangeKind::kDelete    ? "d"
                    : kind == ChangeKind::kReplace ? "r"
                                                   : "i") +
                   std::to_string(++number);
      if (kind == ChangeKind::kInsert) {
        action.old_payload.clear();
      }
      if (kind == ChangeKind::kDelete) {
        action.new_payload.clear();
      }
      collector.Add(action, kTable, /*is_all_key=*/false);
    }
    return std::move(collector).Finish();
  }

  // The table, whose rows have columns that are in its key or not.
  void DescribeTable(const std::vector<bool>& in_key) {
    MappedTable table;
    table.schema.identity = kTable;
    for (const bool is_in_key : in_key) {
      table.schema.columns.push_back({.name = "c", .type = "text", .in_key = is_in_key});
    }
    map_.tables = {table};
  }

  MemoryStore store_;
  TenantMap map_;
};

TEST_F(EvidenceTest, OneInsertedRowAsTheRestoreLeftItProvesTheCommit) {
  Write("i1", "changed since");
  Write("i2", "new");
  EXPECT_EQ(Judge(Of({ChangeKind::kInsert, ChangeKind::kInsert})), CommitOutcome::kCommitted);
}

// The commit did not happen, and the application put one of the rows back by itself.
TEST_F(EvidenceTest, ARowThatIsNothingButItsKeyProvesNothingSinceAnybodyCanWriteItAgain) {
  const state::Evidence evidence = Of({ChangeKind::kInsert, ChangeKind::kInsert});
  Write("i1", "new");
  DescribeTable({true, false});
  EXPECT_EQ(Judge(evidence), CommitOutcome::kCommitted) << "the control arm: taken for a proof";
  DescribeTable({true, true});
  EXPECT_EQ(Judge(evidence), CommitOutcome::kNotKnown);
  DescribeTable({false, false});
  EXPECT_EQ(Judge(evidence), CommitOutcome::kNotKnown) << "a table without a key";
}

TEST_F(EvidenceTest, AllRowsAsBeforeDisproveTheCommit) {
  Write("other", "keeps the table");
  Write("r1", "old");
  EXPECT_EQ(Judge(Of({ChangeKind::kReplace, ChangeKind::kInsert})), CommitOutcome::kNotCommitted);
}

TEST_F(EvidenceTest, RowsThatAreNeitherOldNorOursLeaveItInDoubt) {
  Write("r1", "a third thing");
  EXPECT_EQ(Judge(Of({ChangeKind::kReplace})), CommitOutcome::kNotKnown);
}

TEST_F(EvidenceTest, DeletionsOnlyAreProvedByNoRowBeingThere) {
  Write("other", "keeps the table");
  EXPECT_EQ(Judge(Of({ChangeKind::kDelete, ChangeKind::kDelete})), CommitOutcome::kCommitted);
}

TEST_F(EvidenceTest, DeletionsOnlyAreDisprovedByAllRowsBeingThere) {
  Write("d1", "old");
  Write("d2", "old");
  EXPECT_EQ(Judge(Of({ChangeKind::kDelete, ChangeKind::kDelete})), CommitOutcome::kNotCommitted);
}

TEST_F(EvidenceTest, SomeOfTheDeletedRowsBeingThereLeaveItInDoubt) {
  Write("d1", "old");
  EXPECT_EQ(Judge(Of({ChangeKind::kDelete, ChangeKind::kDelete})), CommitOutcome::kNotKnown);
}

TEST_F(EvidenceTest, DeletedRowsProveNothingWhereOthersWereWritten) {
  // d1 is gone, as the restore would have left it; but the row that it would have inserted is not
  // there.
  Write("other", "keeps the table");
  EXPECT_EQ(Judge(Of({ChangeKind::kDelete, ChangeKind::kInsert})), CommitOutcome::kNotCommitted);
}

TEST(EvidenceCollector, TakesARowThatIsProofAloneHoweverFewThereAre) {
  EvidenceCollector collector(0, 10'001);
  const Action action{
      .kind = ChangeKind::kInsert, .table = 0, .key = "k", .old_payload = "", .new_payload = "p"};
  for (int i = 0; i < 10'000; ++i) {
    collector.Add(action, "links", /*is_all_key=*/true);
  }
  collector.Add(action, kTable, /*is_all_key=*/false);
  const state::Evidence evidence = std::move(collector).Finish();
  EXPECT_EQ(evidence.rows(evidence.rows_size() - 1).table(), kTable);
}

TEST(EvidenceCollector, KeepsASampleOfABoundedSize) {
  EvidenceCollector collector(0, 1'000'000);
  for (int i = 0; i < 1'000'000; ++i) {
    collector.Add({.kind = ChangeKind::kInsert,
                   .table = 0,
                   .key = "k",
                   .old_payload = "",
                   .new_payload = "p"},
                  kTable, /*is_all_key=*/false);
  }
  const state::Evidence evidence = std::move(collector).Finish();
  EXPECT_GE(evidence.rows_size(), 60);
  EXPECT_LE(evidence.rows_size(), 70);
}

}  // namespace
}  // namespace reinstate

#include <algorithm>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/client/cli/batch_site.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class BatchCreateTest : public BatchSite {
 protected:
  // `batch create` from a list with `text`.
  std::vector<std::string> Create(const std::string& text,
                                  const std::vector<std::string>& more = {}) const {
    std::vector<std::string> words = {"batch", "create", "-f", File("list", text), "--at", "2h"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
};

const std::string kDigest(64, 'd');

TEST_F(BatchCreateTest, AsksForTheNumberOfCustomersAndShowsWhere) {
  EXPECT_EQ(Run(Create("Acme Corp\n1002\n", {"--reason", "oops", "--reference", "INC-7"}), "2\n"),
            0);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("create-missing, of 2 customers in store main"),
                                HasSubstr("db7.example.com, database shop"),
                                HasSubstr("Type the number of customers to go on: "),
                                HasSubstr("To follow it: reinstate batch watch bat-1")));
  EXPECT_THAT(planned_, IsEmpty());  // it cannot destroy
  ASSERT_THAT(created_, SizeIs(1));
  const v1::CreateBatchRequest& request = created_[0];
  EXPECT_EQ(request.spec().store(), "main");
  EXPECT_EQ(request.spec().at(), "2h");
  EXPECT_EQ(request.spec().mode(), v1::RESTORE_MODE_CREATE_MISSING);
  ASSERT_EQ(request.lines_size(), 2);
  EXPECT_EQ(request.lines(0).tenant(), "1001");
  EXPECT_EQ(request.lines(0).input(), "Acme Corp");
  EXPECT_EQ(request.lines(1).line(), 2);
  EXPECT_EQ(request.reason(), "oops");
  EXPECT_EQ(request.reference(), "INC-7");
  EXPECT_FALSE(request.validate_only());
}

TEST_F(BatchCreateTest, DoesNothingWithoutTheRightNumber) {
  EXPECT_EQ(Run(Create("1001\n1002\n"), "yes\n"), 8);
  EXPECT_EQ(Run(Create("1001\n1002\n"), ""), 8);
  EXPECT_EQ(Run(Create("1001\n1002\n")), 8);
  EXPECT_THAT(err_.str(), HasSubstr("Add --confirm with the number of customers."));
  EXPECT_EQ(Run(Create("1001\n1002\n", {"--confirm", "3"})), 8);
  EXPECT_THAT(err_.str(), HasSubstr("--confirm 3 is not the number of customers, 2."));
  EXPECT_EQ(Run(Create("1001\n", {"--mode", "mirror"})), 8);
  EXPECT_THAT(created_, IsEmpty());
  EXPECT_THAT(planned_, IsEmpty());  // nor is work made for nobody
  EXPECT_EQ(Run(Create("1001\n1002\n", {"--confirm", "2"})), 0);
  EXPECT_THAT(created_, SizeIs(1));
}

TEST_F(BatchCreateTest, ShowsWhatAMirrorDestroysAndDoesExactlyThat) {
  EXPECT_EQ(Run(Create("1001\n1002\n", {"--mode", "mirror", "--request-id", "r-1"}), "2\n"), 0);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("1,200 inserted, 34 replaced, 5 deleted"),
                                HasSubstr("of 1001 \"Acme Corp\": 34 replaced, 5 deleted"),
                                HasSubstr("db7.example.com, database shop")));
  ASSERT_THAT(planned_, SizeIs(1));
  EXPECT_EQ(planned_[0].lines_size(), 2);
  EXPECT_EQ(planned_[0].request_id(), "r-1 plan");
  ASSERT_THAT(created_, SizeIs(1));
  EXPECT_EQ(created_[0].plan(), "bat-plan");
  EXPECT_EQ(created_[0].plan_digest(), kDigest);
  EXPECT_EQ(created_[0].lines_size(), 0);
  EXPECT_EQ(created_[0].spec().ByteSizeLong(), 0);
  EXPECT_EQ(created_[0].request_id(), "r-1");
}

TEST_F(BatchCreateTest, TakesTheDigestOfADryRunAndNoOther) {
  const std::vector<std::string> mirror = {"--mode", "mirror", "--confirm"};
  std::vector<std::string> wrong = mirror;
  wrong.emplace_back(64, 'e');
  EXPECT_EQ(Run(Create("1001\n1002\n", wrong)), 8);
  EXPECT_THAT(err_.str(), HasSubstr("is not the digest of the dry run, " + kDigest));
  EXPECT_THAT(created_, IsEmpty());
  std::vector<std::string> right = mirror;
  right.push_back(kDigest);
  EXPECT_EQ(Run(Create("1001\n1002\n", right)), 0);
  ASSERT_THAT(created_, SizeIs(1));
  EXPECT_EQ(created_[0].plan_digest(), kDigest);
}

TEST_F(BatchCreateTest, ShowsWhatIsDestroyedAndDoesExactlyThatAlsoIfConfirmedBeforehand) {
  plan_.mutable_totals()->set_conflicts(3);
  for (const char* mode : {"mirror", "overwrite"}) {
    planned_.clear();
    created_.clear();
    EXPECT_EQ(Run(Create("1001\n1002\n", {"--mode", mode, "--confirm", "2"})), 0);
    EXPECT_THAT(err_.str(), AllOf(HasSubstr("34 replaced, 5 deleted"), HasSubstr("3 in conflict"),
                                  HasSubstr("of 1001 \"Acme Corp\": 34 replaced, 5 deleted"),
                                  HasSubstr("db7.example.com, database shop")));
    ASSERT_THAT(planned_, SizeIs(1));
    EXPECT_EQ(planned_[0].lines_size(), 2);
    ASSERT_THAT(created_, SizeIs(1));
    EXPECT_EQ(created_[0].plan(), "bat-plan");
    EXPECT_EQ(created_[0].plan_digest(), kDigest);
  }
}

TEST_F(BatchCreateTest, BeginsNothingWhereAnotherNumberThanThatOfThePlanWasConfirmed) {
  plan_.mutable_lines()->set_succeeded(1);
  plan_.mutable_lines()->set_failed(1);
  EXPECT_EQ(Run(Create("1001\n1002\n", {"--mode", "mirror", "--confirm", "2"})), 8);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("34 replaced, 5 deleted"),
                                HasSubstr("1 failed; those: reinstate batch get bat-plan --lines "
                                          "--state failed\n"),
                                HasSubstr("is not the number of customers, 1.")));
  EXPECT_THAT(created_, IsEmpty());
}

// A daemon that makes one batch of a request id, as the real one does.
class RepeatedCreateTest : public BatchCreateTest {
 protected:
  RepeatedCreateTest() {
    answers_.create_batch = [this, answer = answers_.create_batch](
                                const v1::CreateBatchRequest& request, v1::Batch* batch) {
      EXPECT_NE(request.request_id(), "");
      const auto [one, is_new] = made_.try_emplace(request.request_id());
      if (is_new) {
        one->second.request = request.SerializeAsString();
        const std::string id = plan_.id();
        plan_.set_id(request.dry_run() ? "bat-plan-" + std::to_string(made_.size()) : id);
        const grpc::Status status = answer(request, &one->second.batch);
        EXPECT_TRUE(status.ok());
      } else if (one->second.request != request.SerializeAsString()) {
        return WireError(Reason::kRequestIdReused, "It was used for something else.");
      }
      *batch = one->second.batch;
      return grpc::Status::OK;
    };
  }

  struct Made {
    std::string request;
    v1::Batch batch;
  };
  std::map<std::string, Made> made_;
};

TEST_F(RepeatedCreateTest, TheSameCommandWithTheSameRequestIdIsOneBatchInEveryMode) {
  for (const char* mode : {"mirror", "create-missing"}) {
    created_.clear();
    const std::vector<std::string> words =
        Create("1001\n1002\n",
               {"--mode", mode, "--confirm", "2", "--request-id", std::string("of a ") + mode});
    EXPECT_EQ(Run(words), 0) << err_.str();
    EXPECT_EQ(Run(words), 0) << err_.str();
    EXPECT_THAT(created_, SizeIs(1)) << mode;
  }
  EXPECT_THAT(planned_, SizeIs(1));
  // Without an id they are two.
  created_.clear();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Run(Create("1001\n1002\n", {"--mode", "mirror", "--confirm", "2"})), 0);
  }
  EXPECT_THAT(planned_, SizeIs(3));
  ASSERT_THAT(created_, SizeIs(2));
  EXPECT_NE(created_[0].plan(), created_[1].plan());
}

TEST_F(BatchCreateTest, MakesNoPlanOfWhatDestroysNothing) {
  EXPECT_EQ(Run(Create("1001\n1002\n", {"--confirm", "2"})), 0);
  EXPECT_THAT(planned_, IsEmpty());
  ASSERT_THAT(created_, SizeIs(1));
  EXPECT_EQ(created_[0].spec().mode(), v1::RESTORE_MODE_CREATE_MISSING);
}

TEST_F(BatchCreateTest, ListsWhatIsWrongByReasonWithTheNextCommandAndStops) {
  EXPECT_EQ(Run(Create("1001\nAkme\nTwin\n1009\nNobody\n", {"--confirm", "1"})), 6);
  EXPECT_THAT(
      err_.str(),
      AllOf(HasSubstr("TENANT_NOT_FOUND, 2 lines: lines 2 and 5\n"),
            HasSubstr("  line 2, \"Akme\": No tenant has this id or name. Like it are: 1001 \"Acme "
                      "Corp\" 0.75\n"),
            HasSubstr("INVALID_ARGUMENT, 1 line: line 3\n"),
            HasSubstr("The name is ambiguous, several tenants have it: 1003"),
            HasSubstr("TENANT_NOT_AT_POINT, 1 line: line 4\n"),
            HasSubstr("  Next: reinstate tenant show 1009 --versions"),
            HasSubstr("  Next: reinstate batch resolve -f " + dir_.path() +
                      "/list --at snap-1-12 > "),
            HasSubstr("4 of 5 lines cannot be restored. Nothing was begun."),
            HasSubstr("[BATCH_LINES_INVALID]")));
  EXPECT_THAT(created_, IsEmpty());
}

TEST_F(BatchCreateTest, NamesANextCommandThatReadsTheListAsItWasRead) {
  const std::string list = "Kunde;Ort;warum\nCaf\xe9;Rom;vip\n1001;Oslo;\n";
  EXPECT_EQ(Run(Create(list, {"--column", "Kunde", "--encoding", "windows-1252", "--note-column",
                              "warum", "--store", "main", "--confirm", "1"})),
            6);
  const std::string next = "batch resolve -f " + dir_.path() +
                           "/list --column Kunde --encoding windows-1252 --note-column warum "
                           "--store main --at snap-1-12";
  EXPECT_THAT(err_.str(), HasSubstr("  Next: reinstate " + next + " > list-resolved.csv, "));
  EXPECT_EQ(Run(absl::StrSplit(next, ' ')), 3);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("\r\n2,Café,none,"), HasSubstr("\r\n3,1001,exact,")));
  // Of a group the store whose tenants the list names.
  EXPECT_EQ(Run(Create("Akme\n1001\n", {"--group", "site", "--confirm", "1"})), 6);
  EXPECT_THAT(err_.str(), HasSubstr("/list --store main --at 2026-04-05T07:38:00Z > "));
}

TEST_F(BatchCreateTest, KeepsTheLinesThatItSkips) {
  batch_.mutable_lines()->set_total(3);
  batch_.mutable_lines()->set_not_restored(2);
  // Nothing fails, and yet it is no success: also where nobody waits for the end.
  EXPECT_EQ(Run(Create("1001\nAkme\n1009\n", {"--confirm", "1", "--skip-invalid"})), 3);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("2 lines left out, as --skip-invalid says."),
                                HasSubstr("2 of 3 lines of the batch bat-1 are left out")));
  ASSERT_THAT(created_, SizeIs(1));
  EXPECT_TRUE(created_[0].spec().skip_invalid());
  ASSERT_EQ(created_[0].lines_size(), 3);
  EXPECT_EQ(created_[0].lines(1).problem().reason(), "TENANT_NOT_FOUND");
  EXPECT_EQ(created_[0].lines(1).problem().code(), static_cast<int>(absl::StatusCode::kNotFound));
  EXPECT_EQ(created_[0].lines(1).tenant(), "");
  EXPECT_FALSE(created_[0].lines(2).has_problem());  // which the daemon knows
}

TEST_F(BatchCreateTest, BeginsNothingWhereNoLineIsLeft) {
  EXPECT_EQ(Run(Create("Akme\n1009\n", {"--confirm", "0", "--skip-invalid"})), 6);
  EXPECT_THAT(err_.str(), HasSubstr("No line can be restored. Nothing was begun."));
  EXPECT_THAT(created_, IsEmpty());
}

TEST_F(BatchCreateTest, NamesAlsoThoseInvalidLinesThatTheDaemonDoesNotListAtOnce) {
  const auto whole = answers_.create_batch;
  answers_.create_batch = [&](const v1::CreateBatchRequest& request, v1::Batch* batch) {
    const grpc::Status status = whole(request, batch);
    batch->mutable_invalid()->DeleteSubrange(1, std::max(0, batch->invalid_size() - 1));
    return status;
  };
  EXPECT_EQ(Run(Create("1009\n1001\nNobody\n1009\n1002\n1009\n", {"--confirm", "2"})), 6);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("TENANT_NOT_AT_POINT, 3 lines: lines 1, 4 and 6\n"),
                                HasSubstr("TENANT_NOT_FOUND, 1 line: line 3\n"),
                                HasSubstr("4 of 6 lines cannot be restored.")));
  EXPECT_EQ(checked_.size(), 3) << "what is known to be wrong is not checked again";
  EXPECT_EQ(checked_.back().lines_size(), 3);
  EXPECT_THAT(created_, IsEmpty());
}

TEST_F(BatchCreateTest, BeginsNothingWhereTheDaemonDoesNotSayWhichLinesAreWrong) {
  answers_.create_batch = [](const v1::CreateBatchRequest& /*request*/, v1::Batch* batch) {
    batch->mutable_lines()->set_not_restored(1);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run(Create("1001\n1002\n", {"--confirm", "2", "--skip-invalid"})), 1);
  EXPECT_THAT(err_.str(), HasSubstr("does not say which lines are wrong. [INTERNAL]"));
}

TEST_F(BatchCreateTest, WritesEachLineThatIsWrongForPrograms) {
  std::string list;
  for (int i = 0; i < 60; ++i) {
    list += i % 2 == 0 ? "1009\n" : "Twin\n";
  }
  EXPECT_EQ(Run(Create(list + "1001\n", {"--confirm", "1", "-o", "csv"})), 6);
  const std::vector<std::string> rows = absl::StrSplit(out_.str(), "\r\n");
  ASSERT_THAT(rows, SizeIs(1 + 60 + 1));
  EXPECT_EQ(rows[0], "line,input,id,reason,message,next");
  EXPECT_EQ(rows[59],
            "59,1009,1009,TENANT_NOT_AT_POINT,It was not there at snap-1-12.,reinstate tenant show "
            "1009 --versions says when it was there; choose another --at.");
  EXPECT_THAT(rows[60], HasSubstr("60,Twin,,INVALID_ARGUMENT,\"The name is ambiguous, "));
  EXPECT_EQ(Run(Create("1001\n1009\n", {"--confirm", "1", "-o", "json"})), 6);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("\"line\": 2"), HasSubstr("\"input\": \"1009\""),
                                HasSubstr("\"reason\": \"TENANT_NOT_AT_POINT\""),
                                HasSubstr("\"message\": \"It was not there"),
                                HasSubstr("\"next\": \"reinstate tenant show 1009 ")));
  // What begins without them writes the batch, and nothing else.
  EXPECT_EQ(Run(Create("1001\n1009\n", {"--confirm", "1", "--skip-invalid", "-o", "csv"})), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("bat-1"), Not(HasSubstr("1009"))));
}

TEST_F(BatchCreateTest, CutsWhatIsLongerThanALineMaySay) {
  const std::string note(2'000, 'n');
  EXPECT_EQ(Run(Create("id,why\n1001," + note + "\n", {"--confirm", "1", "--note-column", "why"})),
            0);
  ASSERT_THAT(created_, SizeIs(1));
  EXPECT_EQ(created_[0].lines(0).note(), std::string(1'021, 'n') + "…");
}

TEST_F(BatchCreateTest, ResolvesTheListOfAGroupInItsFirstStore) {
  EXPECT_EQ(Run(Create("id,store\n1001,wiki\n", {"--group", "site", "--confirm", "1"})), 0);
  ASSERT_THAT(resolved_, SizeIs(1));
  EXPECT_EQ(resolved_[0].store(), "main");
  ASSERT_THAT(created_, SizeIs(1));
  EXPECT_EQ(created_[0].spec().group(), "site");
}

TEST_F(BatchCreateTest, LeavesItToTheDaemonWhetherOtherStoresOfAGroupKnowAnId) {
  EXPECT_EQ(Run(Create("1001\nNobody\n", {"--group", "site", "--confirm", "2"})), 0);
  ASSERT_THAT(created_, SizeIs(1));
  EXPECT_EQ(created_[0].lines(1).tenant(), "Nobody");
  EXPECT_FALSE(created_[0].lines(1).has_problem());
  // Of what is no id there either, it is said whom it is like.
  EXPECT_EQ(Run(Create("1001\nAkme\n", {"--group", "site", "--confirm", "1"})), 6);
  EXPECT_EQ(checked_.back().lines(1).tenant(), "Akme");
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("Like it are: 1001"), HasSubstr("TENANT_NOT_FOUND")));
  EXPECT_EQ(Run(Create("1001\nAkme\n", {"--group", "site", "--confirm", "1", "--skip-invalid"})),
            0);
  EXPECT_EQ(created_.back().lines(1).problem().reason(), "TENANT_NOT_FOUND");
}

TEST_F(BatchCreateTest, ADryRunShowsWhatWouldHappenAndTheCommandThatDoesExactlyThat) {
  plan_.mutable_progress()->mutable_eta_low()->set_seconds(50);
  plan_.mutable_progress()->mutable_eta_high()->set_seconds(120);
  plan_.set_eta_basis("by the last 40 restores of store main");
  EXPECT_EQ(Run(Create("1001\n1002\n", {"--mode", "mirror", "--dry-run"})), 0);
  EXPECT_THAT(
      out_.str(),
      AllOf(
          HasSubstr("Dry run bat-plan: 2 of 2 customers planned\n"), HasSubstr("Mode mirror: "),
          HasSubstr("In all: 1,200 inserted, 34 replaced, 5 deleted"), HasSubstr("LARGEST"),
          HasSubstr("1001 \"Acme Corp\""), HasSubstr("Where: db7.example.com, database shop\n"),
          HasSubstr("Expected time: 50 s to 2 min, by the last 40 restores of store main\n"),
          HasSubstr("Digest: " + kDigest),
          HasSubstr("  reinstate batch create --plan bat-plan --digest " + kDigest + " --wait\n")));
  EXPECT_THAT(created_, IsEmpty());
}

TEST_F(BatchCreateTest, ADryRunNamesWhoHasNoDataInSomeStore) {
  v1::BatchAbsence* absence = plan_.add_absences();
  absence->set_store("wiki");
  absence->set_lines(1);
  lines_[1].add_absent_in("wiki");
  EXPECT_EQ(Run(Create("1001\n1002\n", {"--group", "site", "--dry-run"})), 0);
  EXPECT_THAT(out_.str(), HasSubstr("Not in every store: 1 customer has no data in store wiki at "
                                    "the point. Nothing is done there for:\n  line 2, 1002"));
  // Also where somebody is to consent.
  EXPECT_EQ(Run({"batch", "create", "--plan", "bat-plan"}), 8);
  EXPECT_THAT(err_.str(), HasSubstr("1 customer has no data in store wiki at the point: nothing "
                                    "is done there for them"));
}

TEST_F(BatchCreateTest, ADryRunSaysWhereTheTimeIsNotKnownYet) {
  plan_.set_eta_basis("no restore of store main has been measured yet");
  EXPECT_EQ(Run(Create("1001\n1002\n", {"--dry-run"})), 0);
  EXPECT_THAT(out_.str(), HasSubstr("Expected time: not known yet: no restore of store main has "
                                    "been measured yet\n"));
  EXPECT_EQ(Run({"batch", "get", "bat-plan", "-o", "json"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("\"etaBasis\": \"no restore of store main has been measured"));
  plan_.mutable_progress()->mutable_eta_low()->set_seconds(40);
  plan_.set_eta_basis("as long as store main holds the last one back");
  EXPECT_EQ(Run(Create("1001\n1002\n", {"--dry-run"})), 0);
  EXPECT_THAT(out_.str(), HasSubstr("Expected time: at least 40 s, as long as store main holds the "
                                    "last one back\n"));
}

TEST_F(BatchCreateTest, ADryRunNamesConflictsAndLinesThatItCouldNotPlan) {
  plan_.mutable_totals()->set_conflicts(3);
  plan_.mutable_lines()->set_succeeded(1);
  plan_.mutable_lines()->set_failed(1);
  lines_[0].mutable_restores(0)->mutable_totals()->set_conflicts(3);
  lines_[1] = FailedLine(2, "1002", Reason::kCorrupt, "A checksum is wrong.");
  EXPECT_EQ(Run(Create("1001\n1002\n", {"--dry-run"})), 3);
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("line 1, 1001 \"Acme Corp\": 3 rows\n    reinstate restore plan 1001 "
                              "--store main --at snap-1-12 --mode mirror\n"),
                    HasSubstr("CORRUPT, 1 line: line 2\n")));
  EXPECT_THAT(err_.str(), HasSubstr("1 of 2 lines of the batch bat-plan were planned (1 failed)"));
}

TEST_F(BatchCreateTest, FromADryRunAsksForItsNumberOrTakesItsDigest) {
  const std::vector<std::string> create = {"batch", "create", "--plan", "bat-plan"};
  EXPECT_EQ(Run(create), 8);
  EXPECT_THAT(err_.str(), HasSubstr("1,200 inserted, 34 replaced, 5 deleted"));
  EXPECT_THAT(created_, IsEmpty());
  for (const std::vector<std::string>& consent : std::vector<std::vector<std::string>>{
           {"--confirm", "2"}, {"--confirm", kDigest}, {"--digest", kDigest}}) {
    created_.clear();
    std::vector<std::string> words = create;
    words.insert(words.end(), consent.begin(), consent.end());
    EXPECT_EQ(Run(words), 0) << consent[0];
    ASSERT_THAT(created_, SizeIs(1));
    EXPECT_EQ(created_[0].plan(), "bat-plan");
    EXPECT_EQ(created_[0].plan_digest(), kDigest);
  }
  EXPECT_EQ(Run(create, "2\n"), 0);
  EXPECT_FALSE(created_.back().spec().skip_invalid());
  EXPECT_EQ(Run({"batch", "create", "--plan", "bat-plan", "--confirm", "2", "--skip-invalid"}), 0);
  EXPECT_TRUE(created_.back().spec().skip_invalid());
}

TEST_F(BatchCreateTest, RefusesADigestThatNoLongerHoldsAndWhatIsNoDryRun) {
  EXPECT_EQ(Run({"batch", "create", "--plan", "bat-plan", "--digest", std::string(64, 'e')}), 6);
  EXPECT_THAT(err_.str(), HasSubstr("[PLAN_CHANGED]"));
  EXPECT_EQ(Run({"batch", "create", "--plan", "bat-1", "--confirm", "2"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("is no dry run"));
  EXPECT_THAT(created_, IsEmpty());
}

TEST_F(BatchCreateTest, EscapesWhatTheListSays) {
  EXPECT_EQ(Run(Create("id,\x1b[2J\n1001,a\n", {"--column", "\x1b[2J", "--confirm", "1"})), 6);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("\\x1b[2J"), Not(HasSubstr("\x1b"))));
}

TEST_F(BatchCreateTest, NeedsAListAndAPoint) {
  EXPECT_EQ(Run({"batch", "create", "--at", "2h"}), 2);
  EXPECT_EQ(Run({"batch", "create", "-f", File("list", "1001\n")}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("--at is required"));
}

TEST_F(BatchCreateTest, WaitsAndWritesTheSummaryThoughSomeFailed) {
  ended_.set_state(v1::BATCH_STATE_PARTLY_FAILED);
  ended_.mutable_lines()->set_succeeded(1);
  ended_.mutable_lines()->set_failed(1);
  lines_[0].mutable_restores(0)->mutable_totals()->set_inserted(12);
  lines_[0].mutable_start_time()->set_seconds(100);
  lines_[0].mutable_end_time()->set_seconds(102);
  lines_[0].mutable_end_time()->set_nanos(500'000'000);
  lines_[0].set_note("vip");
  lines_[1] = FailedLine(2, "1002", Reason::kTenantBusy, "Its rows change too fast.");
  lines_[1].mutable_restores(0)->mutable_totals()->set_inserted(99);
  const std::string summary = dir_.path() + "/summary.csv";
  EXPECT_EQ(Run(Create("1001\n1002\n", {"--confirm", "2", "--wait", "--summary", summary})), 3);
  EXPECT_EQ(TextOf(summary),
            "line,input,id,label,state,duration,rows,certificate,reason,message,note,no_data_in\r\n"
            "1,1001,1001,Acme Corp,succeeded,2.5,12,rst-1001,,,vip,\r\n"
            "2,1002,1002,Zeta,failed,,0,,TENANT_BUSY,Its rows change too fast.,,\r\n");
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("TENANT_BUSY, 1 line: line 2\n"),
                                HasSubstr("Next: reinstate batch retry bat-1"),
                                HasSubstr("1 of 2 lines of the batch bat-1 were restored (1 "
                                          "failed). [PARTLY_FAILED]")));
  EXPECT_THAT(out_.str(), HasSubstr("partly-failed"));
}

TEST_F(BatchCreateTest, BeginsNothingWhereTheSummaryCannotBeWritten) {
  const std::vector<std::string> wait = {"--confirm", "1", "--summary", dir_.path() + "/no/file"};
  EXPECT_EQ(Run(Create("1001\n", wait)), 2);
  std::vector<std::string> words = Create("1001\n", wait);
  words.emplace_back("--wait");
  EXPECT_EQ(Run(words), 2);
  EXPECT_THAT(created_, IsEmpty());
}

TEST_F(BatchCreateTest, OverwritesAnEarlierSummaryOnlyIfToldTo) {
  const std::string summary = dir_.path() + "/summary.csv";
  std::ofstream(summary) << "of yesterday";
  std::vector<std::string> words =
      Create("1001\n1002\n", {"--confirm", "2", "--wait", "--summary", summary});
  EXPECT_EQ(Run(words), 2);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr(summary), HasSubstr("overwrite it with --force")));
  EXPECT_EQ(TextOf(summary), "of yesterday");
  EXPECT_THAT(created_, IsEmpty());
  words.emplace_back("--force");
  EXPECT_EQ(Run(words), 0);
  EXPECT_THAT(TextOf(summary), HasSubstr("line,input,id,"));
}

TEST_F(BatchCreateTest, WritesOneJsonObjectWithoutHints) {
  EXPECT_EQ(Run(Create("1001\n1002\n", {"--confirm", "2", "-o", "json", "--wait"})), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("\"id\": \"bat-1\""),
                                HasSubstr("\"state\": \"BATCH_STATE_SUCCEEDED\""),
                                Not(HasSubstr("BATCH_STATE_RUNNING"))));
  // What is done, and where, is said all the same; what to do next is not.
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("where     db7.example.com, database shop"),
                                Not(HasSubstr("reinstate batch"))));
}

TEST_F(BatchCreateTest, EndsAsTheDaemonSays) {
  answers_.create_batch = [](const auto& /*request*/, v1::Batch* /*batch*/) {
    return WireError(Reason::kGroupNotFound, "There is no group site; there is: shops.");
  };
  EXPECT_EQ(Run(Create("1001\n", {"--group", "site"})), 5);
  EXPECT_THAT(err_.str(), HasSubstr("there is: shops. [GROUP_NOT_FOUND]"));
}

}  // namespace
}  // namespace reinstate

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/client/cli/batch_site.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

using BatchCommandsTest = BatchSite;

TEST_F(BatchCommandsTest, ShowsABatchAsItIsNow) {
  batch_.mutable_lines()->set_running(1);
  batch_.mutable_lines()->set_queued(1);
  *batch_.add_running() = LineIn(1, "1001", v1::BATCH_LINE_STATE_RUNNING);
  batch_.add_holding_back("The replicas lag by 12 s.");
  batch_.mutable_progress()->set_rows_done(600);
  batch_.mutable_progress()->set_rows_total(1'200);
  EXPECT_EQ(Run({"batch", "get", "bat-1"}), 0);
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr("0 of 2 customers restored"), HasSubstr("1 running, 1 queued"),
                    HasSubstr("50 %, 600/1,200 rows"), HasSubstr("The replicas lag by 12 s."),
                    HasSubstr("applying"), HasSubstr("1001 \"Acme Corp\""), HasSubstr("mirror")));
  EXPECT_EQ(Run({"batch", "get", "bat-plan"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("reinstate batch create --plan bat-plan --digest "));
}

TEST_F(BatchCommandsTest, SaysByWhatTheTimeLeftGoesAsLongAsThatIsNotTheBatchAlone) {
  batch_.mutable_progress()->mutable_eta_low()->set_seconds(180);
  batch_.mutable_progress()->mutable_eta_high()->set_seconds(300);
  batch_.set_eta_basis("by the last 40 restores of store main");
  EXPECT_EQ(Run({"batch", "get", "bat-1"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("ETA 3 min to 5 min, by the last 40 restores of store main\n"));
  batch_.set_state(v1::BATCH_STATE_PAUSED);
  EXPECT_EQ(Run({"batch", "get", "bat-1"}), 0);
  EXPECT_THAT(out_.str(), Not(HasSubstr("by the last")));
}

TEST_F(BatchCommandsTest, ShowsWhoHasNoDataInSomeStoreEverywhere) {
  v1::BatchAbsence* absence = batch_.add_absences();
  absence->set_store("wiki");
  absence->set_lines(2);
  lines_[0].add_absent_in("wiki");
  EXPECT_EQ(Run({"batch", "get", "bat-1"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("2 customers have no data in store wiki at the point"));
  EXPECT_EQ(Run({"batch", "get", "bat-1", "--tenant", "1001"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("no data in store wiki at the point"));
  EXPECT_EQ(Run({"batch", "summary", "bat-1"}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("no_data_in\r\n"), HasSubstr(",wiki\r\n")));
}

TEST_F(BatchCommandsTest, TellsTheManagerWhoAsksAboutOneCustomer) {
  lines_[1] = FailedLine(2, "1002", Reason::kTenantBusy, "Its rows change too fast.");
  EXPECT_EQ(Run({"batch", "get", "bat-1", "--tenant", "Zeta"}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("1002 \"Zeta\""), HasSubstr("failed"),
                                HasSubstr("TENANT_BUSY: Its rows change too fast."),
                                HasSubstr("reinstate batch retry bat-1"), Not(HasSubstr("1001"))));
  EXPECT_EQ(Run({"batch", "get", "bat-1", "--tenant", "acme"}), 0);  // a part of the label
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("1001 \"Acme Corp\""), Not(HasSubstr("1002"))));
  EXPECT_EQ(Run({"batch", "get", "bat-1", "--tenant", "Nobody"}), 5);
  EXPECT_THAT(err_.str(), HasSubstr("[TENANT_NOT_FOUND]"));
}

TEST_F(BatchCommandsTest, TellsTheManagerWhenACustomerMayBeBack) {
  lines_[1] = LineIn(2, "1002", v1::BATCH_LINE_STATE_QUEUED);
  batch_.mutable_progress()->mutable_eta_low()->set_seconds(240);
  batch_.mutable_progress()->mutable_eta_high()->set_seconds(360);
  EXPECT_EQ(Run({"batch", "get", "bat-1", "--tenant", "1002"}), 0);
  EXPECT_THAT(out_.str(),
              HasSubstr("running, 0 of 2 customers restored, ETA 4 min to 6 min for all "
                        "of them"));
  // Of one that is back there is nothing to wait for.
  lines_[1].set_state(v1::BATCH_LINE_STATE_SUCCEEDED);
  EXPECT_EQ(Run({"batch", "get", "bat-1", "--tenant", "1002"}), 0);
  EXPECT_THAT(out_.str(), Not(HasSubstr("ETA")));
}

TEST_F(BatchCommandsTest, TellsWhatACustomerWaitsForThatIsTriedAgain) {
  const std::string why = "It is tried again once others of its batch are done: rows are missing.";
  lines_[1] = LineIn(2, "1002", v1::BATCH_LINE_STATE_QUEUED);
  lines_[1].mutable_restores(0)->set_holding_back(why);
  EXPECT_EQ(Run({"batch", "get", "bat-1", "--tenant", "Zeta"}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("queued"), HasSubstr(why), Not(HasSubstr("failed")),
                                Not(HasSubstr("batch retry"))));
  EXPECT_EQ(Run({"batch", "summary", "bat-1"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("2,1002,1002,Zeta,queued,,0,,," + why));
}

TEST_F(BatchCommandsTest, ListsLinesOfAState) {
  lines_[1] = FailedLine(2, "1002", Reason::kTenantBusy, "Its rows change too fast.");
  EXPECT_EQ(Run({"batch", "get", "bat-1", "--lines", "--state", "failed", "-o", "csv"}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("\r\n2,1002,"), Not(HasSubstr("\r\n1,1001,"))));
  EXPECT_EQ(Run({"batch", "get", "bat-1", "--state", "lost"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("there are: not-restored, queued, running, in-doubt"));
}

TEST_F(BatchCommandsTest, WritesTheSummaryAsCsvUnlessToldOtherwise) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"batch", "summary", "bat-1"}, {"batch", "get", "bat-1", "--summary"}}) {
    EXPECT_EQ(Run(words), 0);
    EXPECT_THAT(out_.str(),
                StartsWith("line,input,id,label,state,duration,rows,certificate,reason,"
                           "message,note,no_data_in\r\n1,1001,1001,Acme Corp,succeeded,"));
  }
  EXPECT_EQ(Run({"batch", "summary", "bat-1", "-o", "json"}), 0);
  EXPECT_THAT(out_.str(), StartsWith("[{"));
}

TEST_F(BatchCommandsTest, ListsBatches) {
  answers_.list_batches = [this](const auto& /*request*/, v1::ListBatchesResponse* response) {
    *response->add_batches() = batch_;
    *response->add_batches() = plan_;
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"batch", "list"}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("bat-1"), HasSubstr("dry run, mirror")));
  batch_ = ended_;
  batch_.mutable_lines()->set_succeeded(0);
  batch_.mutable_lines()->set_undone(2);
  EXPECT_EQ(Run({"batch", "list", "-o", "csv"}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr(",lines,succeeded,undone,failed,"),
                                HasSubstr("bat-1,main,mirror,succeeded,2,0,2,0,")));
}

TEST_F(BatchCommandsTest, WatchesUntilTheEnd) {
  EXPECT_EQ(Run({"batch", "watch", "bat-1"}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("succeeded"), HasSubstr("2 of 2 customers restored")));
  EXPECT_THAT(err_.str(), HasSubstr("reinstate batch summary bat-1"));
}

TEST_F(BatchCommandsTest, StreamsStatesAndEachCustomerOnceAsLinesOfJson) {
  lines_[1] = FailedLine(2, "1002", Reason::kTenantBusy, "Its rows change too fast.");
  EXPECT_EQ(Run({"batch", "watch", "bat-1", "-o", "json"}), 0);
  const std::vector<std::string> events = absl::StrSplit(out_.str(), '\n', absl::SkipEmpty());
  EXPECT_THAT(events,
              UnorderedElementsAre(
                  AllOf(StartsWith("{\"id\":\"bat-1\""), HasSubstr("BATCH_STATE_RUNNING")),
                  AllOf(StartsWith("{\"line\":\"1\""), HasSubstr("BATCH_LINE_STATE_SUCCEEDED")),
                  AllOf(StartsWith("{\"line\":\"2\""), HasSubstr("TENANT_BUSY")),
                  AllOf(StartsWith("{\"id\":\"bat-1\""), HasSubstr("BATCH_STATE_SUCCEEDED"))));
  EXPECT_THAT(events.back(), HasSubstr("BATCH_STATE_SUCCEEDED"));
}

TEST_F(BatchCommandsTest, ExitsAsTheBatchEnds) {
  struct Case {
    v1::BatchState state;
    int succeeded;
    int failed;
    int not_restored;
    int exit_code;
  };
  for (const Case& end : std::vector<Case>{{v1::BATCH_STATE_SUCCEEDED, 2, 0, 0, 0},
                                           {v1::BATCH_STATE_PARTLY_FAILED, 1, 1, 0, 3},
                                           {v1::BATCH_STATE_PARTLY_FAILED, 1, 0, 1, 3},
                                           {v1::BATCH_STATE_CANCELLED, 0, 0, 0, 1},
                                           {v1::BATCH_STATE_PARTLY_FAILED, 0, 2, 0, 1}}) {
    ended_.set_state(end.state);
    ended_.mutable_lines()->set_succeeded(end.succeeded);
    ended_.mutable_lines()->set_failed(end.failed);
    ended_.mutable_lines()->set_not_restored(end.not_restored);
    EXPECT_EQ(Run({"batch", "watch", "bat-1"}), end.exit_code) << end.state << end.succeeded;
  }
  answers_.watch_batch = [](const auto& /*request*/, auto* /*context*/, const auto& /*send*/) {
    return WireError(Reason::kBatchNotFound, "There is no batch bat-1.");
  };
  EXPECT_EQ(Run({"batch", "watch", "bat-1"}), 5);
}

TEST_F(BatchCommandsTest, SaysHowToComeBackWhereTheWaitingIsInterrupted) {
  answers_.watch_batch = [this](const auto& /*request*/, grpc::ServerContext* context,
                                const auto& send) {
    send(batch_);
    std::raise(SIGINT);  // as Ctrl-C does
    while (!context->IsCancelled()) {
      absl::SleepFor(absl::Milliseconds(5));
    }
    return grpc::Status::CANCELLED;
  };
  EXPECT_EQ(Run({"batch", "watch", "bat-1"}), 130);
  EXPECT_THAT(err_.str(), HasSubstr("What was waited for goes on. To come back to it: reinstate "
                                    "batch watch bat-1 [INTERRUPTED]"));
  EXPECT_THAT(controlled_, IsEmpty());
}

TEST_F(BatchCommandsTest, ControlsWithoutQuestions) {
  batch_.mutable_lines()->set_failed(1);
  EXPECT_EQ(Run({"batch", "pause", "bat-1"}), 0);
  EXPECT_EQ(Run({"batch", "resume", "bat-1"}), 0);
  EXPECT_EQ(Run({"batch", "retry", "bat-1", "--wait"}), 0);
  EXPECT_THAT(controlled_, ElementsAre("PauseBatch", "ResumeBatch", "RetryBatch"));
  answers_.control_batch = [](const auto& /*method*/, const auto& /*request*/, v1::Batch*) {
    return WireError(Reason::kBatchEnded, "It has ended.");
  };
  EXPECT_EQ(Run({"batch", "pause", "bat-1"}), 6);
}

TEST_F(BatchCommandsTest, SaysThatThereIsNothingToRetryAndWaitsOnlyForWhatGoesOnByItself) {
  bool watched = false;
  const auto watch = answers_.watch_batch;
  answers_.watch_batch = [&](const auto& request, auto* context, const auto& send) {
    watched = true;
    return watch(request, context, send);
  };
  batch_.set_state(v1::BATCH_STATE_WAITING_FOR_CONSENT);
  batch_.set_state_message("1 of its tenants still lose rows.");
  EXPECT_EQ(Run({"batch", "retry", "bat-1", "--wait"}), 0);
  EXPECT_THAT(err_.str(), HasSubstr("there is nothing to retry"));
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("still lose rows."),
                                HasSubstr("to go on   reinstate batch resume bat-1")));
  EXPECT_FALSE(watched);
  batch_.set_state(v1::BATCH_STATE_RUNNING);
  EXPECT_EQ(Run({"batch", "retry", "bat-1", "--wait"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("2 of 2 customers restored"));
  EXPECT_TRUE(watched);
  batch_ = ended_;
  EXPECT_EQ(Run({"batch", "retry", "bat-1"}), 0);
  EXPECT_THAT(err_.str(), HasSubstr("there is nothing to retry."));
  EXPECT_EQ(Run({"batch", "retry", "bat-1", "--request-id", "r-1"}), 0);
  EXPECT_THAT(err_.str(), HasSubstr(", unless a call with this --request-id came before."));
  answers_.control_batch = [&](const auto& /*method*/, const auto& /*request*/, v1::Batch* batch) {
    *batch = ended_;
    batch->set_state(v1::BATCH_STATE_RUNNING);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"batch", "retry", "bat-1"}), 0);
  EXPECT_THAT(err_.str(), Not(HasSubstr("there is nothing to retry")));
}

TEST_F(BatchCommandsTest, NamesTheCommandsThatPlanAnewWhatHasChangedSinceItsPlan) {
  ended_.set_state(v1::BATCH_STATE_PARTLY_FAILED);
  ended_.mutable_lines()->set_succeeded(1);
  ended_.mutable_lines()->set_failed(1);
  ended_.mutable_spec()->add_tables("my table");
  ended_.set_reference("INC-1");
  lines_[1] = FailedLine(2, "1002", Reason::kPlanChanged, "Its rows have changed since.");
  EXPECT_EQ(Run({"batch", "watch", "bat-1"}), 3);
  EXPECT_THAT(err_.str(),
              AllOf(HasSubstr("Next: look at a new plan: reinstate batch get bat-1 --lines --state "
                              "failed -o csv > again.csv && reinstate batch create -f again.csv "
                              "--store main --at snap-1-12 --mode mirror --table 'my table' "
                              "--reference INC-1 --dry-run\n"),
                    Not(HasSubstr("batch retry"))));
  // They work.
  EXPECT_EQ(Run({"batch", "get", "bat-1", "--lines", "--state", "failed", "-o", "csv"}), 0);
  const std::string list = File("again.csv", out_.str());
  EXPECT_EQ(Run({"batch", "create", "-f", list, "--store", "main", "--at", "snap-1-12", "--mode",
                 "mirror", "--table", "my table", "--reference", "INC-1", "--dry-run"}),
            0);
  ASSERT_THAT(planned_, SizeIs(1));
  ASSERT_EQ(planned_[0].lines_size(), 1);
  EXPECT_EQ(planned_[0].lines(0).tenant(), "1002");
}

TEST_F(BatchCommandsTest, ShowsProgressOnlyUntilTheEnd) {
  batch_.mutable_progress()->set_rows_done(6);
  batch_.mutable_progress()->set_rows_total(6);
  EXPECT_EQ(Run({"batch", "get", "bat-1"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("100 %, 6/6 rows"));
  batch_.set_state(v1::BATCH_STATE_PARTLY_FAILED);
  EXPECT_EQ(Run({"batch", "get", "bat-1"}), 0);
  EXPECT_THAT(out_.str(), Not(HasSubstr("100 %")));
}

TEST_F(BatchCommandsTest, AsksForTheNumberBeforeItCancels) {
  EXPECT_EQ(Run({"batch", "cancel", "bat-1"}), 8);
  EXPECT_EQ(Run({"batch", "cancel", "bat-1"}, "1\n"), 8);
  EXPECT_THAT(err_.str(), HasSubstr("db7.example.com, database shop"));
  EXPECT_THAT(controlled_, IsEmpty());
  EXPECT_EQ(Run({"batch", "cancel", "bat-1"}, "2\n"), 0);
  EXPECT_EQ(Run({"batch", "cancel", "bat-1", "--confirm", "2"}), 0);
  EXPECT_THAT(controlled_, ElementsAre("CancelBatch", "CancelBatch"));
}

TEST_F(BatchCommandsTest, HasNothingToCancelInABatchThatHasEnded) {
  batch_ = ended_;
  EXPECT_EQ(Run({"batch", "cancel", "bat-1"}), 0);
  EXPECT_THAT(err_.str(), HasSubstr("there is nothing to cancel"));
  EXPECT_THAT(controlled_, IsEmpty());
}

TEST_F(BatchCommandsTest, MovesCustomersToTheFrontByIdOrName) {
  std::vector<v1::PrioritizeBatchRequest> requests;
  answers_.prioritize_batch = [&](const v1::PrioritizeBatchRequest& request, v1::Batch* batch) {
    requests.push_back(request);
    *batch = batch_;
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"batch", "prioritize", "bat-1", "1001", "Zeta"}), 0);
  EXPECT_EQ(Run({"batch", "prioritize", "bat-1", "--priority=-5"}), 0);
  ASSERT_THAT(requests, SizeIs(2));
  EXPECT_THAT(requests[0].tenants(), ElementsAre("1001", "1002"));
  EXPECT_GT(requests[0].priority(), 0);
  EXPECT_THAT(requests[1].tenants(), IsEmpty());
  EXPECT_EQ(requests[1].priority(), -5);
  EXPECT_EQ(Run({"batch", "prioritize", "bat-1", "Nobody"}), 5);
  lines_.push_back(LineIn(3, "1003", v1::BATCH_LINE_STATE_QUEUED));
  lines_.push_back(LineIn(4, "1004", v1::BATCH_LINE_STATE_QUEUED));
  EXPECT_EQ(Run({"batch", "prioritize", "bat-1", "Twin"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("1003 \"Twin\", 1004 \"Twin\""));
  EXPECT_THAT(requests, SizeIs(2));
}

TEST_F(BatchCommandsTest, ShowsAnUndoThatIsUnderWayInsteadOfAskingForAnother) {
  int asked = 0;
  answers_.undo_batch = [&](const v1::UndoBatchRequest& request, v1::Batch* batch) {
    EXPECT_TRUE(request.validate_only());
    ++asked;
    *batch = batch_;
    batch->set_id("bat-9");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"batch", "undo", "bat-1"}), 0);
  EXPECT_THAT(err_.str(), HasSubstr("being undone already, by bat-9."));
  EXPECT_THAT(out_.str(), HasSubstr("bat-9"));
  EXPECT_EQ(asked, 1);
}

TEST_F(BatchCommandsTest, AsksForTheNumberBeforeItUndoes) {
  std::vector<v1::UndoBatchRequest> undone;
  answers_.undo_batch = [&](const v1::UndoBatchRequest& request, v1::Batch* batch) {
    batch->mutable_lines()->set_total(2);
    if (!request.validate_only()) {
      undone.push_back(request);
      *batch = batch_;
    }
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"batch", "undo", "bat-1"}), 8);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("Undo of the batch bat-1, of 2 customers"),
                                HasSubstr("1,200 inserted, 34 replaced, 5 deleted"),
                                HasSubstr("db7.example.com, database shop")));
  EXPECT_THAT(undone, IsEmpty());
  EXPECT_EQ(Run({"batch", "undo", "bat-1", "--skip-conflicts"}, "2\n"), 0);
  EXPECT_EQ(Run({"batch", "undo", "bat-1", "--confirm", "2", "--wait"}), 0);
  ASSERT_THAT(undone, SizeIs(2));
  EXPECT_TRUE(undone[0].skip_conflicts());
}

TEST_F(BatchCommandsTest, SaysBeforeAnUndoWhatBecomesOfRowsThatHaveChangedSince) {
  answers_.undo_batch = [&](const auto& /*request*/, v1::Batch* batch) {
    batch->mutable_lines()->set_total(2);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"batch", "undo", "bat-1"}), 8);
  EXPECT_THAT(err_.str(), HasSubstr("A customer whose rows have changed since is refused"));
  EXPECT_EQ(Run({"batch", "undo", "bat-1", "--skip-conflicts"}), 8);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("Rows that have changed since are left alone."),
                                Not(HasSubstr("is refused"))));
}

TEST_F(BatchCommandsTest, AfterARefusedUndoNamesTheCommandThatWorksAndOffersNoRetry) {
  ended_.set_kind(v1::RESTORE_KIND_UNDO);
  ended_.set_undo_of("bat-0");
  ended_.set_state(v1::BATCH_STATE_PARTLY_FAILED);
  ended_.mutable_lines()->set_succeeded(1);
  ended_.mutable_lines()->set_failed(1);
  lines_[1] = FailedLine(2, "1002", Reason::kUndoConflict, "1 row has changed.");
  EXPECT_EQ(Run({"batch", "watch", "bat-1"}), 3);
  EXPECT_THAT(err_.str(),
              AllOf(HasSubstr("Next: reinstate restore get rst-1002 lists these rows; to leave "
                              "them as they are: reinstate batch undo bat-0 --skip-conflicts "
                              "--confirm 1 --wait\n"),
                    Not(HasSubstr("batch retry"))));
  lines_[1] = FailedLine(2, "1002", Reason::kTenantBusy, "Its rows change too fast.");
  EXPECT_EQ(Run({"batch", "watch", "bat-1"}), 3);
  EXPECT_THAT(err_.str(), HasSubstr("What failed, again:  reinstate batch retry bat-1"));
}

TEST_F(BatchCommandsTest, AddsLinesUnderThePointOfTheBatch) {
  std::vector<v1::AddToBatchRequest> added;
  answers_.add_to_batch = [&](const v1::AddToBatchRequest& request, v1::Batch* batch) {
    *batch = batch_;
    if (!request.validate_only()) {
      added.push_back(request);
    }
    return grpc::Status::OK;
  };
  const std::vector<std::string> add = {"batch", "add", "bat-1", "-f", File("list", "1002\n")};
  EXPECT_EQ(Run(add), 8);
  EXPECT_THAT(added, IsEmpty());
  EXPECT_THAT(planned_, IsEmpty());
  // What the mirror of these lines would destroy is seen, also if it is confirmed beforehand.
  plan_.mutable_lines()->set_total(1);
  plan_.mutable_lines()->set_succeeded(1);
  std::vector<std::string> confirmed = add;
  confirmed.insert(confirmed.end(), {"--confirm", "1"});
  EXPECT_EQ(Run(confirmed), 0);
  EXPECT_THAT(err_.str(), HasSubstr("1,200 inserted, 34 replaced, 5 deleted"));
  EXPECT_THAT(planned_, SizeIs(1));
  ASSERT_THAT(added, SizeIs(1));
  EXPECT_EQ(added[0].lines(0).tenant(), "1002");
  EXPECT_EQ(resolved_.back().at(), "snap-1-12");
  EXPECT_EQ(Run(add, "1\n"), 0);
  EXPECT_THAT(err_.str(), HasSubstr("1,200 inserted, 34 replaced, 5 deleted"));
  ASSERT_THAT(planned_, SizeIs(2));
  EXPECT_EQ(planned_[1].spec().at(), "snap-1-12");
  EXPECT_EQ(Run({"batch", "add", "bat-1", "-f", File("bad", "Kunde\nAkme\n"), "--column", "Kunde",
                 "--confirm", "1"}),
            6);
  EXPECT_THAT(err_.str(), HasSubstr("/bad --column Kunde --store main --at snap-1-12 > "));
}

// The daemon lists no more than so many at once of those that are wrong: here one.
TEST_F(BatchCommandsTest, KnowsAllLinesToAddThatAreWrongAlsoWhereTheDaemonDoesNotListAllAtOnce) {
  std::vector<v1::AddToBatchRequest> added;
  answers_.add_to_batch = [&](const v1::AddToBatchRequest& request, v1::Batch* batch) {
    *batch = batch_;
    if (request.validate_only()) {
      int64_t invalid = 0;
      for (const v1::BatchLineSpec& line : request.lines()) {
        if (line.tenant() != "1001" && ++invalid == 1) {
          v1::BatchLine* wrong = batch->add_invalid();
          wrong->set_line(line.line());
          wrong->mutable_problem()->set_reason("TENANT_NOT_FOUND");
        }
      }
      batch->mutable_lines()->set_not_restored(invalid);
    } else {
      added.push_back(request);
    }
    return grpc::Status::OK;
  };
  batch_.mutable_spec()->set_group("site");
  std::vector<std::string> add = {
      "batch", "add", "bat-1", "-f", File("list", "1001\nw1\nw2\n"), "--skip-invalid", "--confirm"};
  add.emplace_back("2");
  EXPECT_EQ(Run(add), 8) << "w2 is not restored either";
  EXPECT_THAT(added, IsEmpty());
  add.back() = "1";
  EXPECT_EQ(Run(add), 0);
  EXPECT_THAT(added, SizeIs(1));
  EXPECT_THAT(err_.str(), HasSubstr("TENANT_NOT_FOUND, 2 lines: lines 2 and 3\n"));
}

TEST_F(BatchCommandsTest, EscapesWhatOthersWrote) {
  lines_[1] = FailedLine(2, "1002", Reason::kTenantBusy, "\x1b[2Jgone");
  lines_[1].mutable_tenant()->set_label("\x1b[31mred");
  *batch_.add_failures() = lines_[1];
  batch_.set_reason(
      "\x07"
      "bell");
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"batch", "get", "bat-1"},
                                             {"batch", "get", "bat-1", "--tenant", "1002"},
                                             {"batch", "get", "bat-1", "--lines"}}) {
    EXPECT_EQ(Run(words), 0);
    EXPECT_THAT(out_.str(),
                AllOf(HasSubstr("\\x1b["), Not(HasSubstr("\x1b")), Not(HasSubstr("\x07"))));
  }
}

}  // namespace
}  // namespace reinstate

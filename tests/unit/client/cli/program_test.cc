#include "client/cli/program.h"

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/base/error.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/client/fake_daemon.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

v1::Plan MirrorPlan() {
  v1::Plan plan;
  plan.set_id("plan-1");
  plan.set_state(v1::PLAN_STATE_READY);
  plan.mutable_restore()->set_mode(v1::RESTORE_MODE_MIRROR);
  plan.mutable_tenant()->set_store("main");
  plan.mutable_tenant()->set_tenant("1001");
  plan.mutable_tenant()->set_label("Acme Corp");
  plan.mutable_point()->set_snapshot("snap-1-12");
  plan.mutable_totals()->set_inserted(3);
  plan.mutable_totals()->set_replaced(1'234);
  plan.mutable_totals()->set_deleted(7);
  v1::TableActions* table = plan.add_tables();
  table->set_table("issue");
  table->set_covered(true);
  *table->mutable_rows() = plan.totals();
  plan.set_rows_to_change(1'244);
  plan.set_digest("5f2a");
  plan.set_store_address("db7.example.com, database shop");
  return plan;
}

v1::Restore RestoreIn(const std::string& id, v1::RestoreState state) {
  v1::Restore restore;
  restore.set_id(id);
  restore.set_state(state);
  restore.mutable_tenant()->set_store("main");
  restore.mutable_tenant()->set_tenant("1001");
  if (state == v1::RESTORE_STATE_FAILED) {
    restore.mutable_failure()->set_code(static_cast<int>(absl::StatusCode::kDataLoss));
    restore.mutable_failure()->set_reason("VERIFICATION_MISMATCH");
    restore.mutable_failure()->set_message("What was read back is not what it had to be.");
  }
  return restore;
}

// A daemon with one store and one mirror plan, that remembers what it was asked to create.
class ProgramTest : public testing::Test {
 protected:
  ProgramTest() {
    answers_.list_stores = [](const auto& /*request*/, v1::ListStoresResponse* response) {
      response->add_stores()->set_name("main");
      return grpc::Status::OK;
    };
    answers_.get_store = [](const v1::GetStoreRequest& request, v1::Store* store) {
      store->set_name(request.store());
      store->set_address("db7.example.com, database shop");
      return grpc::Status::OK;
    };
    answers_.plan_restore = [this](const v1::PlanRestoreRequest& request, v1::Plan* plan) {
      plans_.push_back(request);
      plan->set_id("plan-1");
      return grpc::Status::OK;
    };
    answers_.get_plan = [](const auto& /*request*/, v1::Plan* plan) {
      *plan = MirrorPlan();
      return grpc::Status::OK;
    };
    answers_.watch_plan = [](const auto& /*request*/, auto* /*context*/, const auto& send) {
      send(MirrorPlan());
      return grpc::Status::OK;
    };
    answers_.create_restore = [this](const v1::CreateRestoreRequest& request,
                                     v1::Restore* restore) {
      created_.push_back(request);
      *restore = RestoreIn("rst-1", v1::RESTORE_STATE_QUEUED);
      return grpc::Status::OK;
    };
    answers_.get_restore = [](const auto& request, v1::Restore* restore) {
      *restore = RestoreIn(request.restore(), v1::RESTORE_STATE_SUCCEEDED);
      return grpc::Status::OK;
    };
    answers_.undo_restore = [this](const v1::UndoRestoreRequest& request, v1::Restore* restore) {
      undone_.push_back(request);
      *restore = RestoreIn("rst-2", v1::RESTORE_STATE_QUEUED);
      return grpc::Status::OK;
    };
    // Those whose id says so fail.
    answers_.watch_restore = [](const v1::WatchRestoreRequest& request, auto* /*context*/,
                                const auto& send) {
      const bool fails = request.restore().find("bad") != std::string::npos;
      send(RestoreIn(request.restore(),
                     fails ? v1::RESTORE_STATE_FAILED : v1::RESTORE_STATE_SUCCEEDED));
      return grpc::Status::OK;
    };
  }

  // Runs the program; `typed` is what a person types, if there is one at the terminal.
  int Run(std::vector<std::string> words, const char* typed = nullptr) {
    const FakeDaemon daemon(dir_.path() + "/d.sock", answers_);
    std::istringstream in(typed == nullptr ? "" : typed);
    Console console;
    console.in = &in;
    console.out = &out_;
    console.err = &err_;
    console.in_is_terminal = typed != nullptr;
    words.insert(words.end(), {"--address", daemon.address(), "--timeout", "20s"});
    return static_cast<int>(RunProgram(words, console));
  }

  TempDir dir_;
  FakeAnswers answers_;
  std::vector<v1::PlanRestoreRequest> plans_;
  std::vector<v1::CreateRestoreRequest> created_;
  std::vector<v1::UndoRestoreRequest> undone_;
  std::ostringstream out_;
  std::ostringstream err_;
};

const std::vector<std::string> kMirror = {"restore", "create", "1001",  "--at",
                                          "2h",      "--mode", "mirror"};

std::vector<std::string> With(std::vector<std::string> words,
                              const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST_F(ProgramTest, ShowsWhatIsDestroyedAndAsksForTheTenantsId) {
  EXPECT_EQ(Run(kMirror, "1001\n"), 0);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("db7.example.com, database shop"),
                                HasSubstr("1,234 replaced"), HasSubstr("7 deleted"),
                                HasSubstr("1001 \"Acme Corp\""), HasSubstr("snap-1-12")));
  ASSERT_THAT(created_, SizeIs(1));
  // What was agreed to is what is done.
  EXPECT_EQ(created_[0].plan(), "plan-1");
  EXPECT_EQ(created_[0].plan_digest(), "5f2a");
}

TEST_F(ProgramTest, DoesNothingWhereThePersonTypesSomethingElse) {
  EXPECT_EQ(Run(kMirror, "yes\n"), 8);
  EXPECT_THAT(created_, IsEmpty());
  EXPECT_THAT(err_.str(), HasSubstr("Not confirmed. Nothing was done. [DECLINED]"));
}

TEST_F(ProgramTest, DoesNothingAtTheEndOfTheInput) {
  EXPECT_EQ(Run(kMirror, ""), 8);
  EXPECT_THAT(created_, IsEmpty());
}

TEST_F(ProgramTest, DoesNothingWhereNobodyCanBeAsked) {
  EXPECT_EQ(Run(kMirror), 8);
  EXPECT_THAT(created_, IsEmpty());
  EXPECT_THAT(err_.str(), HasSubstr("Add --confirm with the tenant's id."));
}

TEST_F(ProgramTest, TakesTheTenantsIdAsConfirmationAndNoOther) {
  EXPECT_EQ(Run(With(kMirror, {"--confirm", "1002"})), 8);
  EXPECT_THAT(created_, IsEmpty());
  EXPECT_EQ(Run(With(kMirror, {"--confirm", "1001"})), 0);
  ASSERT_THAT(created_, SizeIs(1));
  EXPECT_EQ(created_[0].spec().mode(), v1::RESTORE_MODE_MIRROR);
  EXPECT_THAT(plans_, IsEmpty());
}

TEST_F(ProgramTest, ShowsWhatAndWhereAlsoIfItIsConfirmedBeforehand) {
  EXPECT_EQ(Run(With(kMirror, {"--confirm", "1001"})), 0);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("Restore, mirror of tenant 1001 in store main\n"
                                          "  where     db7.example.com, database shop\n"),
                                HasSubstr("  at        2h\n")));
  err_.str("");
  EXPECT_EQ(Run({"restore", "undo", "rst-1", "--confirm", "1001"}), 0);
  EXPECT_THAT(err_.str(), HasSubstr("Undo of rst-1 of tenant 1001 in store main\n"
                                    "  where     db7.example.com, database shop\n"));
  EXPECT_THAT(plans_, IsEmpty());
  err_.str("");
  EXPECT_EQ(Run({"restore", "create", "1001", "--plan", "plan-1", "--confirm", "1001"}), 0);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("Restore, mirror of tenant 1001"),
                                HasSubstr("  where     db7.example.com, database shop\n")));
}

TEST_F(ProgramTest, AsksNothingBeforeWhatCannotDestroy) {
  EXPECT_EQ(Run({"restore", "create", "1001", "--at", "-2h", "--reason", "oops"}), 0);
  ASSERT_THAT(created_, SizeIs(1));
  EXPECT_EQ(created_[0].spec().store(), "main");
  EXPECT_EQ(created_[0].spec().at(), "-2h");
  EXPECT_EQ(created_[0].spec().mode(), v1::RESTORE_MODE_CREATE_MISSING);
  EXPECT_EQ(created_[0].reason(), "oops");
  EXPECT_THAT(created_[0].actor(), HasSubstr("@"));
  EXPECT_THAT(plans_, IsEmpty());  // and costs no plan
}

TEST_F(ProgramTest, AsksBeforeAPlanThatDestroysIsCarriedOut) {
  const std::vector<std::string> words = {"restore", "create", "1001", "--plan", "plan-1"};
  EXPECT_EQ(Run(words), 8);
  EXPECT_THAT(created_, IsEmpty());
  EXPECT_EQ(Run(With(words, {"--confirm", "1001", "--digest", "abcd"})), 0);
  ASSERT_THAT(created_, SizeIs(1));
  EXPECT_EQ(created_[0].plan_digest(), "abcd");
}

TEST_F(ProgramTest, RefusesAPlanOfAnotherTenant) {
  EXPECT_EQ(Run({"restore", "create", "1002", "--plan", "plan-1", "--confirm", "1002"}), 2);
  EXPECT_THAT(created_, IsEmpty());
}

TEST_F(ProgramTest, AsksBeforeAnUndo) {
  EXPECT_EQ(Run({"restore", "undo", "rst-1"}), 8);
  EXPECT_THAT(undone_, IsEmpty());
  EXPECT_EQ(Run({"restore", "undo", "rst-1"}, "1001\n"), 0);
  ASSERT_THAT(undone_, SizeIs(1));
  EXPECT_EQ(undone_[0].plan_digest(), "5f2a");
  EXPECT_EQ(Run({"restore", "undo", "rst-1", "--confirm", "1001"}), 0);
  EXPECT_THAT(undone_, SizeIs(2));
}

TEST_F(ProgramTest, NeedsThePointWhereverARestoreIsPlanned) {
  EXPECT_EQ(Run({"restore", "create", "1001"}), 2);
  EXPECT_EQ(Run({"restore", "plan", "1001"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("--at is required"));
  EXPECT_THAT(plans_, IsEmpty());
}

TEST_F(ProgramTest, SuggestsTenantsWhereThereIsNoneWithThatId) {
  answers_.create_restore = [](const auto& /*request*/, v1::Restore* /*restore*/) {
    return WireError(Reason::kTenantNotAtPoint, "There was no tenant Acme at snap-1-12.");
  };
  answers_.find_tenants = [](const v1::FindTenantsRequest& request,
                             v1::FindTenantsResponse* response) {
    EXPECT_EQ(request.query(), "Acme");
    response->add_matches()->mutable_ref()->set_tenant("1001");
    response->mutable_matches(0)->mutable_ref()->set_label("Acme Corp");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"restore", "create", "Acme", "--at", "2h"}), 5);
  EXPECT_EQ(err_.str(),
            "reinstate: There was no tenant Acme at snap-1-12. Did you mean 1001 \"Acme Corp\"? To "
            "find a tenant by name: reinstate tenant find Acme [TENANT_NOT_AT_POINT]\n");
}

TEST_F(ProgramTest, NamesTheStoresWhereThereAreSeveral) {
  answers_.list_stores = [](const auto& /*request*/, v1::ListStoresResponse* response) {
    response->add_stores()->set_name("wiki");
    response->add_stores()->set_name("tracker");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"restore", "create", "1001", "--at", "2h"}), 2);
  EXPECT_THAT(err_.str(), HasSubstr("wiki, tracker"));
  EXPECT_EQ(Run({"restore", "create", "1001", "--at", "2h", "--store", "wiki"}), 0);
}

TEST_F(ProgramTest, ExitsAsTheDaemonAnswers) {
  for (const ReasonInfo& info : AllReasons()) {
    if (info.reason == Reason::kShuttingDown) {
      continue;  // The call is repeated until the timeout.
    }
    answers_.get_restore = [&](const auto& /*request*/, v1::Restore* /*restore*/) {
      return WireError(info.reason, "Do this.");
    };
    err_.str("");
    EXPECT_EQ(Run({"restore", "get", "rst-1"}),
              static_cast<int>(ExitCodeOf(MakeError(info.reason, ""))))
        << info.name;
    EXPECT_EQ(err_.str(), "reinstate: Do this. [" + std::string(info.name) + "]\n");
  }
}

TEST_F(ProgramTest, ExitsAsTheRestoreEndsWhenItWaits) {
  EXPECT_EQ(Run({"restore", "create", "1001", "--at", "2h", "--wait"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("succeeded"));
  EXPECT_EQ(Run({"restore", "watch", "rst-bad"}), 9);
  EXPECT_THAT(err_.str(), HasSubstr("What was read back is not what it had to be. "
                                    "[VERIFICATION_MISMATCH]"));
}

TEST_F(ProgramTest, SaysWhyARestoreIsHeldBackAndOnlyThen) {
  const std::string why = "The limit of 1000 rows a second is used up.";
  const std::vector<std::string> create = {"restore", "create", "1001", "--at", "latest", "--wait"};
  EXPECT_EQ(Run(create), 0);
  EXPECT_THAT(err_.str(), Not(HasSubstr("It is queued.")));
  answers_.get_restore = [&](const auto& request, v1::Restore* restore) {
    *restore = RestoreIn(request.restore(), v1::RESTORE_STATE_QUEUED);
    restore->set_holding_back(why);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run(create), 0);
  EXPECT_THAT(err_.str(), HasSubstr("It is queued. " + why));
  EXPECT_EQ(Run({"restore", "get", "rst-1"}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("holding back"), HasSubstr(why)));
}

TEST_F(ProgramTest, SaysHowToSettleARestoreThatIsInDoubt) {
  answers_.watch_restore = [](const auto& request, auto* /*context*/, const auto& send) {
    send(RestoreIn(request.restore(), v1::RESTORE_STATE_IN_DOUBT));
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"restore", "watch", "rst-1"}), 6);
  EXPECT_THAT(err_.str(), AllOf(HasSubstr("reinstate restore resolve rst-1 --outcome "),
                                HasSubstr("[TENANT_IN_DOUBT]")));
}

TEST_F(ProgramTest, TellsThatSomeOfSeveralFailed) {
  EXPECT_EQ(Run({"restore", "watch", "rst-1", "rst-bad", "rst-2"}), 3);
  EXPECT_THAT(err_.str(), HasSubstr("1 of 3 did not succeed: rst-bad [PARTLY_FAILED]"));
  EXPECT_EQ(Run({"restore", "watch", "rst-1", "rst-2"}), 0);
  EXPECT_EQ(Run({"restore", "watch", "rst-bad", "rst-bad2"}), 9);
}

TEST_F(ProgramTest, PrintsAPlanThatAPersonUnderstandsWithTheNextCommand) {
  EXPECT_EQ(Run(With({"restore", "plan"}, {"1001", "--at", "2h", "--mode", "mirror"})), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("restore tenant 1001 \"Acme Corp\" in store main"),
                                HasSubstr("As of snap-1-12"),
                                HasSubstr("INSERTED  REPLACED  DELETED"), HasSubstr("issue"),
                                HasSubstr("Nothing was changed. To do exactly this:\n"
                                          "  reinstate restore create 1001 --plan plan-1 "
                                          "--digest 5f2a --wait\n")));
}

TEST_F(ProgramTest, OffersACommandThatLeavesUnresolvedTablesOutInEveryMode) {
  v1::Plan plan = MirrorPlan();
  plan.add_uncovered_tables("odd");
  answers_.watch_plan = [&](const auto& /*request*/, auto* /*context*/, const auto& send) {
    send(plan);
    return grpc::Status::OK;
  };
  const auto command_for = [&](v1::RestoreMode mode) {
    plan.mutable_restore()->set_mode(mode);
    out_.str("");
    EXPECT_EQ(Run({"restore", "plan", "1001", "--at", "2h"}), 0);
    return out_.str().substr(out_.str().find("To do exactly this:"));
  };
  EXPECT_THAT(command_for(v1::RESTORE_MODE_MIRROR), HasSubstr(" --accept-uncovered-tables --wait"));
  EXPECT_THAT(command_for(v1::RESTORE_MODE_OVERWRITE), Not(HasSubstr("--accept")));
  plan.add_unresolved_tables("odd");
  EXPECT_THAT(command_for(v1::RESTORE_MODE_CREATE_MISSING),
              HasSubstr(" --accept-uncovered-tables --wait"));
  EXPECT_THAT(out_.str(), HasSubstr("It is not known how these relate to tenants: odd."));
}

// A daemon whose point has some tables, and whose live store has some of them and others.
class WithoutTableTest : public ProgramTest {
 protected:
  WithoutTableTest() {
    answers_.resolve_point = [](const v1::ResolvePointRequest& request, v1::Point* point) {
      point->set_snapshot(request.store() == "main" && request.at() == "2h" ? "snap-1-12" : "");
      return grpc::Status::OK;
    };
    answers_.get_snapshot = [](const v1::GetSnapshotRequest& request, v1::Snapshot* snapshot) {
      if (request.snapshot() == "snap-1-12") {
        Cover("1", "issue", true, snapshot);
        Cover("2", "links", true, snapshot);
        Cover("3", "odd", false, snapshot);
        Cover("4", "gone", true, snapshot);
        Cover("5", "old name", true, snapshot);
      }
      return grpc::Status::OK;
    };
    answers_.discover_store = [](const auto& /*request*/, v1::DiscoverStoreResponse* response) {
      v1::Catalog* catalog = response->mutable_catalog();
      Have("1", "issue", v1::TABLE_RELATION_OWNED, catalog);
      Have("2", "links", v1::TABLE_RELATION_OWNED, catalog);
      Have("3", "odd", v1::TABLE_RELATION_UNRESOLVED, catalog);
      Have("5", "new name", v1::TABLE_RELATION_OWNED, catalog);
      Have("6", "made later", v1::TABLE_RELATION_OWNED, catalog);
      Have("7", "stray", v1::TABLE_RELATION_UNRESOLVED, catalog);
      Have("8", "country", v1::TABLE_RELATION_SHARED, catalog);
      Have("9", "log", v1::TABLE_RELATION_EXCLUDED, catalog);
      return grpc::Status::OK;
    };
  }

  int CreateWithout(const std::vector<std::string>& tables) {
    std::vector<std::string> words = {"restore", "create", "1001", "--at", "2h"};
    for (const std::string& table : tables) {
      words.insert(words.end(), {"--without-table", table});
    }
    return Run(words);
  }

 private:
  static void Cover(const char* identity, const char* name, bool owned, v1::Snapshot* snapshot) {
    v1::SnapshotTable* table = snapshot->add_tables();
    table->set_identity(identity);
    table->set_table(name);
    table->set_owned(owned);
  }

  static void Have(const char* identity, const char* name, v1::TableRelation relation,
                   v1::Catalog* catalog) {
    v1::TableInfo* table = catalog->add_tables();
    table->set_identity(identity);
    table->set_name(name);
    table->set_relation(relation);
  }
};

TEST_F(WithoutTableTest, NamesAllOthersThatARestoreOfAllHasToDoWith) {
  EXPECT_EQ(CreateWithout({"links"}), 0);
  ASSERT_THAT(created_, SizeIs(1));
  EXPECT_THAT(created_[0].spec().tables(),
              ElementsAre("gone", "issue", "made later", "new name", "odd", "old name", "stray"));
  EXPECT_EQ(created_[0].spec().at(), "snap-1-12") << "whose tables these are";
  EXPECT_FALSE(created_[0].spec().accept_uncovered_tables());
  EXPECT_THAT(plans_, IsEmpty());
  // Alike in a plan.
  EXPECT_EQ(Run({"restore", "plan", "1001", "--at", "2h", "--without-table", "links"}), 0);
  ASSERT_THAT(plans_, SizeIs(1));
  EXPECT_EQ(plans_[0].restore().SerializeAsString(), created_[0].spec().SerializeAsString());
}

TEST_F(WithoutTableTest, LeavesATableThatWasRenamedOutByEitherName) {
  for (const char* name : {"old name", "new name"}) {
    created_.clear();
    EXPECT_EQ(CreateWithout({name, "stray"}), 0);
    ASSERT_THAT(created_, SizeIs(1));
    EXPECT_THAT(created_[0].spec().tables(),
                ElementsAre("gone", "issue", "links", "made later", "odd"));
  }
}

TEST_F(WithoutTableTest, RestoresNothingWhereANameIsMistypedOrNoTableIsLeft) {
  EXPECT_EQ(CreateWithout({"links", "link"}), 5);
  EXPECT_THAT(err_.str(), HasSubstr("There is no table link, neither in snap-1-12 nor now;"));
  EXPECT_EQ(CreateWithout({"gone", "issue", "links", "made later", "new name", "odd", "stray"}), 2);
  EXPECT_THAT(created_, IsEmpty());
}

TEST_F(ProgramTest, OffersNoCommandForAPlanWithConflicts) {
  answers_.watch_plan = [](const auto& /*request*/, auto* /*context*/, const auto& send) {
    v1::Plan plan = MirrorPlan();
    plan.mutable_totals()->set_conflicts(1);
    v1::Conflict* conflict = plan.add_conflicts();
    conflict->set_table("issue");
    conflict->mutable_key()->set_text("17");
    conflict->set_kind(v1::CONFLICT_KIND_TAKEN);
    *plan.add_conflicts() = plan.conflicts(0);
    plan.mutable_conflicts(1)->set_constraint("issue_slug_key");
    plan.mutable_conflicts(1)->set_owner(v1::CONFLICT_OWNER_THIS_TENANT);
    *plan.add_conflicts() = plan.conflicts(0);
    plan.mutable_conflicts(2)->set_kind(v1::CONFLICT_KIND_NO_PARTITION);
    send(plan);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"restore", "plan", "1001", "--at", "2h"}), 0);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("issue 17: its key belongs to another tenant now"),
                                HasSubstr("issue 17: a value of issue_slug_key is that of another "
                                          "row of the tenant"),
                                HasSubstr("issue 17: its table has no partition that takes it"),
                                Not(HasSubstr("restore create"))));
}

TEST_F(ProgramTest, WritesJsonWithoutHints) {
  EXPECT_EQ(Run({"restore", "create", "1001", "--at", "2h", "-o", "json"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("\"id\": \"rst-1\""));
  EXPECT_EQ(err_.str(), "");
}

TEST_F(ProgramTest, RefusesATimeoutThatIsNone) {
  const FakeDaemon daemon(dir_.path() + "/d.sock", answers_);
  Console console;
  console.out = &out_;
  console.err = &err_;
  EXPECT_EQ(RunProgram({"store", "list", "--timeout", "soon"}, console), ExitCode::kUsage);
}

TEST(Program, ExitsWith7WhereNoDaemonIs) {
  std::ostringstream out;
  std::ostringstream err;
  Console console;
  console.out = &out;
  console.err = &err;
  EXPECT_EQ(RunProgram({"store", "list", "--address", "unix:/nonexistent.sock"}, console),
            ExitCode::kUnavailable);
  EXPECT_THAT(err.str(),
              AllOf(HasSubstr("--address or REINSTATE_ADDRESS"), HasSubstr("[UNAVAILABLE]\n")));
}

// --- Hooks ---

v1::Restore WithHooks(bool pending) {
  v1::Restore restore = RestoreIn("rst-1", v1::RESTORE_STATE_SUCCEEDED);
  v1::HookOutcome* freeze = restore.add_hooks();
  freeze->set_name("freeze");
  freeze->set_succeeded(true);
  freeze->set_attempts(1);
  freeze->mutable_end_time()->set_seconds(1);
  if (pending) {
    restore.set_hooks_pending(true);
    return restore;
  }
  v1::HookOutcome* index = restore.add_hooks();
  index->set_name("index");
  index->set_after(true);
  index->set_required(true);
  index->set_attempts(3);
  index->set_message("ended with exit code 1; it printed: \x1B[31mno index");
  index->mutable_end_time()->set_seconds(2);
  return restore;
}

TEST_F(ProgramTest, ShowsHooksOfARestoreAndWhatAFailedOnePrinted) {
  answers_.get_restore = [](const auto& /*request*/, v1::Restore* restore) {
    *restore = WithHooks(/*pending=*/false);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"restore", "get", "rst-1"}), 0);
  EXPECT_THAT(out_.str(),
              HasSubstr("\nHooks:\n"
                        "  before  freeze succeeded\n"
                        "  after   index (required) failed at attempt 3: ended with exit code 1; "
                        "it printed: \\x1b[31mno index\n"));
}

TEST_F(ProgramTest, SaysThatHooksAreStillToBeRun) {
  answers_.get_restore = [](const auto& /*request*/, v1::Restore* restore) {
    *restore = WithHooks(/*pending=*/true);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"restore", "get", "rst-1"}), 0);
  EXPECT_THAT(out_.str(), HasSubstr("Others are still to be run after it."));
}

TEST_F(ProgramTest, WatchesARestoreUntilTheHooksAfterItHaveEnded) {
  answers_.watch_restore = [](const auto& /*request*/, auto* /*context*/, const auto& send) {
    send(WithHooks(/*pending=*/true));
    send(WithHooks(/*pending=*/false));
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"restore", "watch", "rst-1"}), 3);
  EXPECT_THAT(out_.str(), HasSubstr("after   index (required) failed at attempt 3"));
  EXPECT_THAT(err_.str(), HasSubstr("The rows are back, but the hook index, which is required"));
}

TEST_F(ProgramTest, MarksRestoresWhoseHooksFailedInLists) {
  answers_.list_restores = [](const auto& /*request*/, v1::ListRestoresResponse* response) {
    *response->add_restores() = WithHooks(/*pending=*/false);
    *response->add_restores() = WithHooks(/*pending=*/true);
    *response->add_restores() = RestoreIn("rst-3", v1::RESTORE_STATE_SUCCEEDED);
    v1::Restore running = RestoreIn("rst-4", v1::RESTORE_STATE_RUNNING);
    running.set_hooks_pending(true);
    running.add_hooks()->set_name("freeze");
    *response->add_restores() = running;
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"restore", "list", "-o", "csv"}), 0);
  std::vector<std::string> marks;
  std::istringstream lines(out_.str());
  for (std::string line; std::getline(lines, line);) {
    const size_t last = line.rfind(',') + 1;
    marks.push_back(line.substr(last, line.find('\r') - last));
  }
  EXPECT_THAT(marks, ElementsAre("hooks", "failed", "pending", "", "running"));
}

}  // namespace
}  // namespace reinstate

#include "server/hooks/hook_event.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace reinstate {
namespace {

using Json = nlohmann::json;

state::RestoreRecord Restored() {
  state::RestoreRecord record;
  record.set_id("rst-1");
  record.set_state(state::SUCCEEDED);
  record.set_label("Acme Corp");
  state::RestoreOrder* order = record.mutable_order();
  order->set_store("main");
  order->set_tenant("acme");
  order->set_mode(state::CREATE_MISSING);
  order->set_batch("bat-1");
  order->mutable_point()->set_requested("2h");
  order->mutable_point()->set_snapshot("snap-1-12");
  order->mutable_point()->set_instant_us(1'775'374'680'000'000);
  order->mutable_actor()->set_name("ada");
  order->mutable_actor()->set_verified(true);
  order->set_reason("the script of Tuesday");
  order->set_reference("INC-1234");
  for (const int rows : {1, 20}) {
    state::TableSummary* table = record.mutable_plan()->add_tables();
    table->set_inserted(rows);
    table->set_replaced(2 * rows);
    table->set_deleted(3 * rows);
  }
  return record;
}

Json Event(Hook::When when, const state::RestoreRecord& record) {
  const std::string text = HookEvent({.name = "search", .when = when}, record);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  return Json::parse(text);
}

TEST(HookEvent, SaysWhatWasRestoredForWhomAndHowItEnded) {
  EXPECT_EQ(Event(Hook::When::kAfter, Restored()), Json::parse(R"({
    "version": 1, "hook": "search", "when": "after", "restore": "rst-1", "kind": "restore",
    "batch": "bat-1", "store": "main", "tenant": "acme", "label": "Acme Corp",
    "mode": "create-missing",
    "point": {"requested": "2h", "snapshot": "snap-1-12", "instant": "2026-04-05T07:38:00Z"},
    "state": "SUCCEEDED", "rows": {"inserted": 21, "replaced": 42, "deleted": 63},
    "actor": {"name": "ada", "verified": true},
    "reason": "the script of Tuesday", "reference": "INC-1234"})"));
}

TEST(HookEvent, OfAFailureHasTheReasonAndNoRows) {
  state::RestoreRecord record = Restored();
  record.set_state(state::FAILED);
  record.mutable_failure()->set_reason("TENANT_BUSY");
  record.mutable_failure()->set_message("somebody writes");
  const Json event = Event(Hook::When::kAfter, record);
  EXPECT_EQ(event["state"], "FAILED");
  EXPECT_EQ(event["failure"], Json::parse(R"({"reason": "TENANT_BUSY"})"));
  EXPECT_FALSE(event.contains("rows"));
}

TEST(HookEvent, BeforeARestoreSaysThatItRunsAndKnowsNoRows) {
  state::RestoreRecord record = Restored();
  record.set_state(state::QUEUED);
  record.mutable_order()->set_mode(state::MIRROR);
  const Json event = Event(Hook::When::kBefore, record);
  EXPECT_EQ(event["when"], "before");
  EXPECT_EQ(event["state"], "RUNNING");
  EXPECT_EQ(event["mode"], "mirror");
  EXPECT_FALSE(event.contains("rows"));
}

TEST(HookEvent, OfAnUndoNamesWhatItUndoes) {
  state::RestoreRecord record = Restored();
  record.mutable_order()->set_undo_of("rst-0");
  const Json event = Event(Hook::When::kAfter, record);
  EXPECT_EQ(event["kind"], "undo");
  EXPECT_EQ(event["undo_of"], "rst-0");
  EXPECT_FALSE(event.contains("mode"));
  EXPECT_FALSE(event.contains("point"));
}

TEST(HookEvent, SurvivesTextsThatAreHostile) {
  state::RestoreRecord record = Restored();
  record.set_label("a\xFF\xFE z");
  record.mutable_order()->set_tenant("\"}\n{\\");
  const Json event = Event(Hook::When::kAfter, record);
  EXPECT_EQ(event["tenant"], "\"}\n{\\");
  EXPECT_EQ(event["label"], "a\uFFFD\uFFFD z");
}

}  // namespace
}  // namespace reinstate

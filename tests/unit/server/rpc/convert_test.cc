#include <gtest/gtest.h>

#include <string>

#include "server/rpc/convert_batch.h"
#include "server/rpc/convert_catalog.h"
#include "server/rpc/convert_common.h"
#include "server/rpc/convert_restore.h"
#include "storage/live/remote/wire_values.h"
#include "storage/model/key_parts.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

TEST(PrintableKey, ShowsPrintableUtf8AndQuotesTheRest) {
  EXPECT_EQ(PrintableKey("a b"), "a b");
  EXPECT_EQ(PrintableKey("Zoë €😀"), "Zoë €😀");
  EXPECT_EQ(PrintableKey(std::string("\x00\x1F\x7F", 3)), "\\x00\\x1f\\x7f");
  EXPECT_EQ(PrintableKey("\\"), "\\x5c");
  EXPECT_EQ(PrintableKey("\xC2\x85"), "\\xc2\\x85");  // a C1 control character
  EXPECT_EQ(PrintableKey("\xE2\x82"), "\\xe2\\x82");  // cut short
  EXPECT_EQ(PrintableKey("\xC0\xAF"), "\\xc0\\xaf");  // overlong
  EXPECT_EQ(PrintableKey(""), "");
}

TEST(PrintableKey, ShowsTheColumnsOfARelationalStore) {
  std::string key;
  AppendKeyPart("7", &key);
  EXPECT_EQ(PrintableKey(key), "7");
  AppendKeyPart(std::string("a\0b", 3), &key);
  EXPECT_EQ(PrintableKey(key), "7, a\\x00b");
  EXPECT_EQ(PrintableKey(key + "x"), "7\\x00\\x01a\\x00\\xffb\\x00\\x01x");  // no such key
}

TEST(PrintableKey, IsCutAfterAbout256Bytes) {
  EXPECT_EQ(PrintableKey(std::string(256, 'a')), std::string(256, 'a'));
  EXPECT_EQ(PrintableKey(std::string(257, 'a')), std::string(256, 'a') + "…");
}

TEST(BatchLines, NameTheStoreOfTheirTenantsIdAlsoInAnUndoWhichComesToItLast) {
  BatchLineView view;
  view.record.set_tenant("site-1");
  view.targets = {{.store = "wiki", .tenant = "space-9"}, {.store = "tracker", .tenant = "site-1"}};
  const v1::BatchLine line = ToWire(view);
  EXPECT_EQ(line.tenant().tenant(), "site-1");
  EXPECT_EQ(line.tenant().store(), "tracker");
  // As in what was left out, whose id there may be nowhere.
  view.record.set_tenant("who");
  EXPECT_EQ(ToWire(view).tenant().store(), "wiki");
}

TEST(BatchLines, SayWhatTheyWaitForWhenTheyWereAdded) {
  BatchLineView view;
  view.targets = {{.store = "main", .tenant = "site-1"}};
  EXPECT_EQ(ToWire(view).restores(0).holding_back(), "");
  view.waits_for_look = true;
  EXPECT_EQ(ToWire(view).restores(0).holding_back(),
            "It begins once it has been seen that its tenant loses no rows.");
  view.state = BatchLineState::kCancelled;
  EXPECT_EQ(ToWire(view).restores(0).holding_back(), "");
}

TEST(TenantMaps, SurviveTheWire) {
  const TenantMap map{
      .tables = {{.schema = {.identity = "1",
                             .name = "issues",
                             .columns = {{.name = "id", .type = "int", .in_key = true}}},
                  .relation = Relation::kOwned,
                  .how = "by its column site",
                  .write_refusal = "it has been sealed",
                  .replace_refusal = "its rows are set in stone",
                  .refusal_reason = Reason::kNotAllowed,
                  .may_be_obstructed = true},
                 {.schema = {.identity = "2", .name = "plans", .columns = {}},
                  .relation = Relation::kShared,
                  .how = "so configured"}},
      .label_source = "column name"};
  v1::Catalog wire;
  CatalogToWire(map, &wire);
  const auto read = live_wire::FromWire(wire);
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(read->tables, map.tables);
  EXPECT_EQ(read->label_source, map.label_source);
}

TEST(Timestamps, SurviveTheWire) {
  for (const int64_t us :
       {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{-1'500'000}, int64_t{1'775'374'680'123'456}}) {
    google::protobuf::Timestamp wire;
    ToWire(absl::FromUnixMicros(us), &wire);
    EXPECT_GE(wire.nanos(), 0);
    EXPECT_LT(wire.nanos(), 1'000'000'000);
    EXPECT_EQ(absl::ToUnixMicros(FromWire(wire)), us);
  }
}

TEST(PointToWire, ShowsTheGapAndNeverANegativeOne) {
  state::Point point;
  point.set_instant_us(1'000'000);
  point.set_requested_us(3'500'000);
  v1::Point wire;
  ToWire(point, &wire);
  EXPECT_EQ(wire.gap().seconds(), 2);
  EXPECT_EQ(wire.gap().nanos(), 500'000'000);
  point.set_requested_us(999'999);
  v1::Point earlier;
  ToWire(point, &earlier);
  EXPECT_EQ(earlier.gap().seconds(), 0);
  EXPECT_EQ(earlier.gap().nanos(), 0);
  point.set_requested_us(0);
  v1::Point named;
  ToWire(point, &named);
  EXPECT_FALSE(named.has_gap());
  EXPECT_FALSE(named.has_requested_time());
}

state::RestoreRecord Record() {
  state::RestoreRecord record;
  record.set_id("rst-1");
  record.set_state(state::SUCCEEDED);
  state::RestoreOrder* order = record.mutable_order();
  order->set_store("main");
  order->set_tenant("acme");
  order->set_mode(state::MIRROR);
  order->mutable_point()->set_requested("latest");
  order->mutable_point()->set_snapshot("snap-1-1");
  record.set_undo_expires_us(5);
  for (const char* name : {"b", "a"}) {
    state::TableSummary* table = record.mutable_plan()->add_tables();
    table->set_name(name);
    table->set_inserted(2);
    table->set_kept(1);
    table->set_rows_at_point(2);
  }
  record.mutable_plan()->add_tables()->set_name("empty");
  record.mutable_plan()->set_conflict_count(3);
  state::Sample* conflict = record.mutable_plan()->add_conflicts();
  conflict->set_key("k");
  conflict->set_action("taken");
  conflict->set_constraint("one_of_each");
  conflict->set_holder(state::OTHER_TENANT);
  return record;
}

TEST(RestoreToWire, SumsUpItsTablesInTheOrderOfTheirNames) {
  const v1::Restore restore = ToWire(Record(), {}, RestoreDetail::kFull);
  EXPECT_EQ(restore.kind(), v1::RESTORE_KIND_RESTORE);
  EXPECT_EQ(restore.restore().mode(), v1::RESTORE_MODE_MIRROR);
  EXPECT_EQ(restore.totals().inserted(), 4);
  EXPECT_EQ(restore.totals().kept(), 2);
  EXPECT_EQ(restore.totals().conflicts(), 3);
  ASSERT_EQ(restore.tables_size(), 2);
  EXPECT_EQ(restore.tables(0).table(), "a");
  EXPECT_EQ(restore.tables(1).table(), "b");
  EXPECT_EQ(restore.conflicts(0).kind(), v1::CONFLICT_KIND_TAKEN);
  EXPECT_EQ(restore.conflicts(0).constraint(), "one_of_each");
  EXPECT_EQ(restore.conflicts(0).owner(), v1::CONFLICT_OWNER_OTHER_TENANT);
  EXPECT_TRUE(restore.has_certificate());
  EXPECT_TRUE(restore.has_undo_expire_time());
}

TEST(RestoreToWire, LeavesTablesAndConflictsOutOfLists) {
  const v1::Restore restore = ToWire(Record(), {}, RestoreDetail::kListed);
  EXPECT_EQ(restore.tables_size(), 0);
  EXPECT_EQ(restore.conflicts_size(), 0);
  EXPECT_EQ(restore.totals().inserted(), 4);
}

TEST(RestoreToWire, AnUndoHasNoPointAndCannotBeUndone) {
  state::RestoreRecord record = Record();
  record.mutable_order()->set_undo_of("rst-0");
  record.mutable_plan()->mutable_conflicts(0)->set_action("changed");
  const v1::Restore restore = ToWire(record, {}, RestoreDetail::kFull);
  EXPECT_EQ(restore.kind(), v1::RESTORE_KIND_UNDO);
  EXPECT_EQ(restore.undo().restore(), "rst-0");
  EXPECT_FALSE(restore.has_point());
  EXPECT_FALSE(restore.has_undo_expire_time());
  EXPECT_EQ(restore.conflicts(0).kind(), v1::CONFLICT_KIND_CHANGED_SINCE);
}

v1::RestoreSpec Spec() {
  v1::RestoreSpec spec;
  spec.set_store("main");
  spec.set_tenant("acme");
  spec.set_at("latest");
  return spec;
}

TEST(OrderFromWire, TakesTheModeThatCannotLoseWorkByDefault) {
  const absl::StatusOr<state::RestoreOrder> order = OrderFromWire(Spec(), "spec");
  ASSERT_THAT(order, IsOk());
  EXPECT_EQ(order->mode(), state::CREATE_MISSING);
}

TEST(OrderFromWire, RefusesAModeOfALaterVersion) {
  v1::RestoreSpec spec = Spec();
  spec.set_mode(static_cast<v1::RestoreMode>(99));
  EXPECT_THAT(OrderFromWire(spec, "spec"), FailsWith(Reason::kInvalidArgument));
}

TEST(DigestFromWire, IsSixtyFourHexadecimalDigitsOrNothing) {
  EXPECT_EQ(*DigestFromWire("digest", ""), "");
  EXPECT_EQ(*DigestFromWire("digest", std::string(64, 'f')), std::string(32, '\xFF'));
  EXPECT_THAT(DigestFromWire("digest", std::string(63, 'f')), FailsWith(Reason::kInvalidArgument));
  EXPECT_THAT(DigestFromWire("digest", std::string(64, 'g')), FailsWith(Reason::kInvalidArgument));
}

TEST(RestoreToWire, ShowsItsHooksAndWhatTheyPrintedExceptInLists) {
  state::RestoreRecord record;
  record.set_hooks_pending(true);
  state::HookOutcome* failed = record.add_hooks();
  failed->set_name("index");
  failed->set_after(true);
  failed->set_required(true);
  failed->set_attempts(3);
  failed->set_message("ended with exit code 1");
  failed->set_finished_us(1'000'000);
  record.add_hooks()->set_name("freeze");  // has only begun
  const v1::Restore full = ToWire(record, RestoreManager::Eta(), RestoreDetail::kFull);
  EXPECT_TRUE(full.hooks_pending());
  ASSERT_EQ(full.hooks_size(), 2);
  EXPECT_EQ(full.hooks(0).name(), "index");
  EXPECT_TRUE(full.hooks(0).after());
  EXPECT_TRUE(full.hooks(0).required());
  EXPECT_FALSE(full.hooks(0).succeeded());
  EXPECT_EQ(full.hooks(0).attempts(), 3);
  EXPECT_EQ(full.hooks(0).message(), "ended with exit code 1");
  EXPECT_EQ(full.hooks(0).end_time().seconds(), 1);
  EXPECT_FALSE(full.hooks(1).has_end_time());
  const v1::Restore listed = ToWire(record, RestoreManager::Eta(), RestoreDetail::kListed);
  ASSERT_EQ(listed.hooks_size(), 2);
  EXPECT_EQ(listed.hooks(0).message(), "");
  EXPECT_EQ(listed.hooks(0).attempts(), 3);
}

TEST(BatchLineToWire, SaysWhatHooksDoAndWhereItHasNoData) {
  BatchLineView view;
  view.record.add_absent_in("wiki");
  BatchLineView::Target& target = view.targets.emplace_back();
  target.restore = "rst-1";
  target.seen.state = state::SUCCEEDED;
  EXPECT_FALSE(ToWire(view).restores(0).has_progress());
  EXPECT_EQ(ToWire(view).absent_in(0), "wiki");
  target.seen.hooks_pending = true;
  EXPECT_EQ(ToWire(view).restores(0).progress().step(), "after-hooks follow");
  target.seen.hook =
      HookAttempt{.name = "notify-billing", .after = true, .attempt = 2, .attempts = 3};
  EXPECT_EQ(ToWire(view).restores(0).progress().step(),
            "after-hook notify-billing, attempt 2 of 3");
}

}  // namespace
}  // namespace reinstate

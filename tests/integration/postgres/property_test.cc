// Random schemas and random histories of several tenants: a snapshot, more work and accidents, and
// a restore in each mode, first while nobody else writes and then while other tenants do. The
// tenant obeys its mode, and its undo brings back what was there before; all others are untouched.
// Where the mode would leave a unique value twice, the restore is refused and changes nothing.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "storage/live/postgres/postgres_store.h"
#include "tests/integration/postgres/random_application.h"
#include "tests/support/plain_database.h"
#include "tests/support/postgres_server.h"
#include "tests/support/postgres_site_config.h"
#include "tests/support/restore_world.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

constexpr uint64_t kSeeds = 16;
constexpr int kRowsATenant = 40;           // about, at the snapshot
constexpr int kStatementsSince = 25;       // of each tenant
constexpr int kStatementsMeanwhile = 200;  // of those that are not restored, at most
constexpr char kBarred[] = "restore that a unique value bars";
constexpr char kMeanwhile[] = "statement of another tenant during a restore";

class PostgresProperty : public testing::TestWithParam<uint64_t> {
 protected:
  PostgresProperty() : application_(GetParam()) {
    const std::string name = PostgresServer::Shared()->MakeDatabase();
    conninfo_ = PostgresServer::Shared()->OnSocket(name);
    auto database = PlainDatabase::Connect(conninfo_);
    EXPECT_THAT(database, IsOk());
    database_ = *std::move(database);
    const absl::Status made = database_->Run(application_.SchemaSql());
    EXPECT_THAT(made, IsOk());
    EXPECT_THAT(MakeDaemonRole(PostgresServer::Shared()->OnSocket(name)), IsOk());
    PostgresStoreOptions options;
    options.connection.conninfo =
        absl::StrCat(PostgresServer::Shared()->OnSocket(name), " user=", kDaemonRole);
    options.map.tenant_columns = {"tenant_id"};
    store_ = PostgresStore::Create(options);
    world_ = std::make_unique<RestoreWorld>(store_.get(), nullptr);
  }

  // Constraints may refuse a statement: it is part of the history all the same.
  void Run(const std::string& sql) {
    history_.push_back(sql);
    const absl::Status status = database_->Run(sql);
    if (!status.ok()) {
      EXPECT_EQ(database_->last_sqlstate().substr(0, 2), "23") << status << "\n" << sql;
    }
  }

  void WriteAll(int statements, bool only_insert) {
    for (int i = 0; i < statements; ++i) {
      for (const std::string& tenant : application_.tenants()) {
        Run(application_.RandomStatement(tenant, only_insert));
      }
    }
  }

  static void SetUpTestSuite() { tally_ = new Tally(); }
  static void TearDownTestSuite() {
    std::vector<std::string> features = RandomApplication::AllFeatures();
    features.insert(features.end(), {kBarred, kMeanwhile});
    for (const std::string& feature : features) {
      std::printf("%6d  %s\n", tally_->times[feature], feature.c_str());
      EXPECT_TRUE(tally_->runs < kSeeds || tally_->times[feature] > 0) << feature;
    }
    delete tally_;
  }
  static void Count(const std::string& feature, int times) { tally_->times[feature] += times; }

  StoreModel Read(PlainDatabase* database = nullptr) {
    auto model = application_.Read(database == nullptr ? database_.get() : database);
    EXPECT_THAT(model, IsOk());
    return *std::move(model);
  }

  // Of `model` those tenants that are restored, or the others.
  StoreModel Part(StoreModel model, bool restored) const {
    std::erase_if(model, [&](const auto& of_tenant) {
      const auto end = application_.tenants().begin() + kModes.size();
      const bool is = std::find(application_.tenants().begin(), end, of_tenant.first) != end;
      return is != restored;
    });
    return model;
  }

  // Runs the statements one after the other until it is told to stop. Nobody else may change
  // anything of those tenants meanwhile. Returns how many succeeded.
  int WriteMeanwhile(const std::vector<std::string>& statements, const std::atomic<bool>& stop) {
    auto database = PlainDatabase::Connect(conninfo_);
    EXPECT_THAT(database, IsOk());
    int succeeded = 0;
    StoreModel before = Part(Read(database->get()), /*restored=*/false);
    for (size_t i = 0; i < statements.size() && !stop; ++i) {
      const absl::Status status = (*database)->Run(statements[i]);
      EXPECT_TRUE(status.ok() || (*database)->last_sqlstate().starts_with("23")) << status << "\n"
                                                                                 << statements[i];
      succeeded += status.ok() ? 1 : 0;
      const StoreModel after = Part(Read(database->get()), /*restored=*/false);
      EXPECT_TRUE(status.ok() || after == before) << "somebody else wrote\n" << statements[i];
      absl::SleepFor(absl::Milliseconds(2));
      before = Part(Read(database->get()), /*restored=*/false);
      EXPECT_TRUE(after == before) << "somebody else wrote after\n" << statements[i];
    }
    return succeeded;
  }

  // Restores one tenant and takes it back. `*expected` is how all is, or, if others write, how
  // those are that are restored. Returns whether the mode's outcome was possible.
  bool RestoreAndUndo(size_t tenant_number, const SnapshotInfo& point, const StoreModel& at_point,
                      const StoreModel& live, bool others_write) {
    const std::string& tenant = application_.tenants()[tenant_number];
    const state::Mode mode = kModes[tenant_number];
    const auto now = [&] { return others_write ? Part(Read(), /*restored=*/true) : Read(); };
    StoreModel expected = live;
    expected[tenant] = ModelAfter(expected[tenant], at_point.at(tenant), mode);
    const state::RestoreRecord restore = world_->Restore(RestoreWorld::Order(tenant, point, mode));
    if (!application_.HoldsUniqueValues(expected)) {
      EXPECT_EQ(restore.failure().reason(), "KEY_CONFLICT") << Replay();
      EXPECT_GT(restore.plan().conflict_count(), 0) << Replay();
      EXPECT_TRUE(now() == live) << "after a refused restore of " << tenant << "\n" << Replay();
      return false;
    }
    EXPECT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message() << Replay();
    changed_ += restore.plan().rows_to_change();
    EXPECT_TRUE(now() == expected) << "after a restore of " << tenant << "\n" << Replay();
    const state::RestoreRecord undone = world_->Undo(restore);
    EXPECT_EQ(undone.state(), state::SUCCEEDED) << undone.failure().message() << Replay();
    EXPECT_TRUE(now() == live) << "after the undo of " << tenant << "\n" << Replay();
    return true;
  }

  // To make the same again by hand.
  std::string Replay() const {
    return absl::StrCat("seed ", GetParam(), "\n", application_.SchemaSql(),
                        absl::StrJoin(history_, ";\n"));
  }

  struct Tally {
    uint64_t runs = 0;
    std::map<std::string, int> times;
  };
  static Tally* tally_;

  static constexpr std::array kModes = {state::CREATE_MISSING, state::OVERWRITE, state::MIRROR};

  RandomApplication application_;
  std::string conninfo_;
  std::unique_ptr<PlainDatabase> database_;
  std::unique_ptr<PostgresStore> store_;
  std::unique_ptr<RestoreWorld> world_;
  std::vector<std::string> history_;
  int64_t changed_ = 0;
};

PostgresProperty::Tally* PostgresProperty::tally_ = nullptr;

TEST_P(PostgresProperty, EachModeDoesWhatItSaysAndTouchesNobodyElse) {
  WriteAll(kRowsATenant, /*only_insert=*/true);
  const StoreModel at_point = Read();
  const SnapshotInfo point = world_->TakeSnapshot();

  for (size_t i = 0; i < kModes.size(); ++i) {
    for (const std::string& sql : application_.DeleteStatements(
             application_.tenants()[i], /*all=*/(GetParam() + i) % 3 == 0)) {
      Run(sql);
    }
  }
  WriteAll(kStatementsSince, /*only_insert=*/false);

  const StoreModel live = Read();
  std::vector<size_t> possible;
  for (size_t i = 0; i < kModes.size(); ++i) {
    if (!at_point.contains(application_.tenants()[i])) {
      continue;  // it had no rows yet
    }
    if (RestoreAndUndo(i, point, at_point, live, /*others_write=*/false)) {
      possible.push_back(i);
    } else {
      Count(kBarred, 1);
    }
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_TRUE(changed_ > 0 || possible.empty()) << "nothing to restore\n" << Replay();

  // What the others write now is in nobody's way.
  application_.UseFreshUniqueValues();
  std::vector<std::string> statements;
  for (int i = 0; i < kStatementsMeanwhile; ++i) {
    const std::vector<std::string>& tenants = application_.tenants();
    const size_t other = kModes.size() + static_cast<size_t>(i) % (tenants.size() - kModes.size());
    statements.push_back(application_.RandomStatement(tenants[other], /*only_insert=*/false));
  }
  std::atomic<bool> stop = false;
  int written = 0;
  std::thread writer([&] { written = WriteMeanwhile(statements, stop); });
  for (const size_t i : possible) {
    RestoreAndUndo(i, point, at_point, Part(live, /*restored=*/true), /*others_write=*/true);
  }
  stop = true;
  writer.join();
  ++tally_->runs;
  Count(kMeanwhile, written);
  for (const auto& [feature, times] : application_.Features()) {
    Count(feature, times);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, PostgresProperty, testing::Range<uint64_t>(1, 1 + kSeeds));

}  // namespace
}  // namespace reinstate

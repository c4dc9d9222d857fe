// Random schemas and random histories of several tenants: a snapshot, more work and accidents, and
// a restore in each mode. The tenant obeys its mode, and its undo brings back what was there
// before; all others are untouched.

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
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
constexpr int kRowsATenant = 40;      // about, at the snapshot
constexpr int kStatementsSince = 25;  // of each tenant

class PostgresProperty : public testing::TestWithParam<uint64_t> {
 protected:
  PostgresProperty() : application_(GetParam()) {
    const std::string name = PostgresServer::Shared()->MakeDatabase();
    auto database = PlainDatabase::Connect(PostgresServer::Shared()->OnSocket(name));
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

  StoreModel Read() {
    auto model = application_.Read(database_.get());
    EXPECT_THAT(model, IsOk());
    return *std::move(model);
  }

  // To make the same again by hand.
  std::string Replay() const {
    return absl::StrCat("seed ", GetParam(), "\n", application_.SchemaSql(),
                        absl::StrJoin(history_, ";\n"));
  }

  RandomApplication application_;
  std::unique_ptr<PlainDatabase> database_;
  std::unique_ptr<PostgresStore> store_;
  std::unique_ptr<RestoreWorld> world_;
  std::vector<std::string> history_;
};

TEST_P(PostgresProperty, EachModeDoesWhatItSaysAndTouchesNobodyElse) {
  WriteAll(kRowsATenant, /*only_insert=*/true);
  const StoreModel at_point = Read();
  const SnapshotInfo point = world_->TakeSnapshot();

  const std::vector<state::Mode> modes = {state::CREATE_MISSING, state::OVERWRITE, state::MIRROR};
  for (size_t i = 0; i < modes.size(); ++i) {
    for (const std::string& sql : application_.DeleteStatements(
             application_.tenants()[i], /*all=*/(GetParam() + i) % 3 == 0)) {
      Run(sql);
    }
  }
  WriteAll(kStatementsSince, /*only_insert=*/false);

  StoreModel expected = Read();
  int64_t changed = 0;
  for (size_t i = 0; i < modes.size(); ++i) {
    const std::string& tenant = application_.tenants()[i];
    const auto found = at_point.find(tenant);
    if (found == at_point.end()) {
      continue;  // it had no rows yet
    }
    const StoreModel before = expected;
    const state::RestoreRecord restore =
        world_->Restore(RestoreWorld::Order(tenant, point, modes[i]));
    ASSERT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message() << Replay();
    changed += restore.plan().rows_to_change();
    expected[tenant] = ModelAfter(expected[tenant], found->second, modes[i]);
    ASSERT_TRUE(Read() == expected) << "after a restore of " << tenant << "\n" << Replay();

    const state::RestoreRecord undone = world_->Undo(restore);
    ASSERT_EQ(undone.state(), state::SUCCEEDED) << undone.failure().message() << Replay();
    ASSERT_TRUE(Read() == before) << "after the undo of " << tenant << "\n" << Replay();
    expected = before;
  }
  EXPECT_GT(changed, 0) << "there must be something to restore\n" << Replay();
}

INSTANTIATE_TEST_SUITE_P(Seeds, PostgresProperty, testing::Range<uint64_t>(1, 1 + kSeeds));

}  // namespace
}  // namespace reinstate

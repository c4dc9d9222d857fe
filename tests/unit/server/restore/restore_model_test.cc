// Random histories of several tenants, restored and undone, against a model.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/live/memory/memory_store.h"
#include "storage/live/rocksdb/embedded_store.h"
#include "tests/support/restore_world.h"
#include "tests/unit/server/restore/restore_engine_fixture.h"

namespace reinstate {
namespace {

const std::vector<std::string> kTenants = {"acme", "acm", "acme\x01", "'; DROP TABLE tenant; --",
                                           "übermut"};
const std::vector<std::string> kTables = {"attachments", "issues", "tenant"};

// Random writes of several tenants, and what they must have led to.
class RandomHistory {
 public:
  RandomHistory(uint32_t seed, RestoreWorld* world) : random_(seed), world_(world) {}

  void Write(int writes) {
    for (int i = 0; i < writes; ++i) {
      WriteOne(kTenants[Pick(kTenants.size())]);
    }
  }

  void WriteOne(const std::string& tenant) {
    const std::string& table = kTables[Pick(kTables.size())];
    const std::string key = Key();
    TableModel& rows = model_[tenant][table];
    if (Pick(4) == 0) {
      world_->Delete(tenant, table, key);
      rows.erase(key);
    } else {
      rows[key] =
          std::string(Pick(3) == 0 ? Pick(3000) : Pick(20), static_cast<char>('a' + Pick(26)));
      world_->Put(tenant, table, key, rows[key]);
    }
    Prune(tenant, table);
  }

  StoreModel& model() { return model_; }
  size_t Pick(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }

 private:
  // Few different ones, with bytes that break naive keys.
  std::string Key() {
    static const std::vector<std::string> kParts = {"", std::string("\0", 1), "\xff", "a", "ab",
                                                    "'"};
    return kParts[Pick(kParts.size())] + std::to_string(Pick(12)) + kParts[Pick(kParts.size())];
  }

  void Prune(const std::string& tenant, const std::string& table) {
    if (model_[tenant][table].empty()) {
      model_[tenant].erase(table);
    }
    if (model_[tenant].empty()) {
      model_.erase(tenant);
    }
  }

  std::mt19937 random_;
  RestoreWorld* const world_;
  StoreModel model_;
};

// The stores that the model is tried on.
enum class StoreKind { kMemory, kEmbeddedBatches, kEmbeddedGenerations };

struct ModelCase {
  uint32_t seed = 0;
  StoreKind kind = StoreKind::kMemory;
};

std::string CaseName(const testing::TestParamInfo<ModelCase>& info) {
  constexpr const char* kNames[] = {"Memory", "EmbeddedBatches", "EmbeddedGenerations"};
  return absl::StrCat(kNames[static_cast<int>(info.param.kind)], "Seed", info.param.seed);
}

std::vector<ModelCase> ModelCases() {
  std::vector<ModelCase> cases;
  for (const StoreKind kind :
       {StoreKind::kMemory, StoreKind::kEmbeddedBatches, StoreKind::kEmbeddedGenerations}) {
    for (uint32_t seed = 1; seed <= 4; ++seed) {
      cases.push_back({.seed = seed, .kind = kind});
    }
  }
  return cases;
}

class RestoreEngineModelTest : public testing::TestWithParam<ModelCase> {
 protected:
  RestoreEngineModelTest() {
    if (GetParam().kind == StoreKind::kMemory) {
      auto store = std::make_unique<MemoryStore>();
      world_.emplace(store.get(), store.get());
      store_ = std::move(store);
      return;
    }
    const size_t batch_bytes = GetParam().kind == StoreKind::kEmbeddedBatches ? 64 << 20 : 64;
    auto store =
        EmbeddedStore::Open({.path = folder_.path() + "/store", .max_batch_bytes = batch_bytes});
    if (!store.ok()) {
      ADD_FAILURE() << store.status();
      return;
    }
    world_.emplace(store->get(), store->get());
    store_ = *std::move(store);
  }
  ~RestoreEngineModelTest() override { world_.reset(); }

  TempDir folder_;
  std::unique_ptr<LiveStore> store_;
  std::optional<RestoreWorld> world_;
};

TEST_P(RestoreEngineModelTest, TheTenantObeysItsModeAllOthersAreUntouchedAndTheUndoIsExact) {
  SCOPED_TRACE(absl::StrCat("seed ", GetParam().seed));
  ASSERT_TRUE(world_.has_value());
  RestoreWorld& world = *world_;
  RandomHistory history(GetParam().seed, &world);
  std::vector<std::pair<SnapshotInfo, StoreModel>> points;
  for (int i = 0; i < 3; ++i) {
    history.Write(150);
    points.emplace_back(world.TakeSnapshot(), history.model());
  }
  history.Write(100);
  for (int round = 0; round < 6; ++round) {
    const auto& [point, at_point] = points[history.Pick(points.size())];
    const std::string& tenant = kTenants[history.Pick(kTenants.size())];
    const state::Mode mode = kModes[history.Pick(3)];
    if (!at_point.contains(tenant)) {
      continue;
    }
    const StoreModel before = history.model();
    state::RestoreOrder order = RestoreWorld::Order(tenant, point, mode);
    order.set_accept_shrunken(true);
    const state::RestoreRecord restore = world.Restore(order);
    ASSERT_EQ(restore.state(), state::SUCCEEDED) << restore.failure().message();
    StoreModel wanted = before;
    const auto live = before.find(tenant);
    wanted[tenant] =
        ModelAfter(live == before.end() ? TenantModel() : live->second, at_point.at(tenant), mode);
    ASSERT_EQ(world.Read(kTenants, kTables), wanted) << "round " << round;
    if (history.Pick(2) == 0) {
      ASSERT_EQ(world.Undo(restore).state(), state::SUCCEEDED);
      ASSERT_EQ(world.Read(kTenants, kTables), before) << "undo, round " << round;
    } else {
      history.model() = wanted;
    }
    history.Write(20);
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, RestoreEngineModelTest, testing::ValuesIn(ModelCases()), CaseName);

}  // namespace
}  // namespace reinstate

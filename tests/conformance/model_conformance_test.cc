// Random interleavings of sessions and an application, against a model in memory.

#include <rapidcheck.h>

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/conformance/live_store_test.h"

namespace reinstate {
namespace {

constexpr int kTenants = 3;
constexpr int kKeys = 6;
const std::vector<std::string> kTables = {"comment", "issue"};

// What one step does is decided by its numbers alone, so that a failing case can be shrunk.
struct Step {
  uint8_t what = 0;
  uint8_t tenant = 0;
  uint8_t place = 0;
  uint8_t value = 0;
};

using Place = std::pair<std::string, std::string>;  // table and key
using TenantModel = std::map<Place, std::string>;

// A session and what it must see.
struct OpenSession {
  std::unique_ptr<TenantSession> session;
  TenantModel view;
  TenantModel rows;             // the view with what has been applied
  std::vector<Change> planned;  // in the order of application
  size_t applied = 0;
  std::set<Place> changed;  // places of what has been applied
  std::set<Place> written;  // by the application since the view was taken
  bool tenant_deleted = false;
};

class ModelTest : public LiveStoreTest {
 protected:
  // One case, with tenants of its own in the one store.
  void RunCase(const std::vector<Step>& steps) {
    ++case_;
    models_.clear();
    sessions_.clear();
    for (const Step& step : steps) {
      Do(step);
    }
    sessions_.clear();
    const StoreContents expected = AllModels();
    earlier_ = Everything();
    RC_ASSERT(earlier_ == expected);
  }

 private:
  TenantId TenantOf(const Step& step) const {
    // Ids that are prefixes of each other.
    return Tenant("case" + std::to_string(case_) + std::string(1 + step.tenant % kTenants, 'x'));
  }

  static Place PlaceOf(uint8_t number) {
    return {kTables[number % 2], "key" + std::to_string(number / 2 % kKeys)};
  }

  StoreContents AllModels() const {
    StoreContents all = earlier_;
    for (const auto& [tenant, rows] : models_) {
      for (const auto& [place, payload] : rows) {
        all[{tenant, place.first, place.second}] = payload;
      }
    }
    return all;
  }

  void Do(const Step& step) {
    const int what = step.what % 16;
    if (what < 5) {
      ApplicationPut(step);
    } else if (what < 7) {
      ApplicationErase(step);
    } else if (what == 7) {
      ApplicationDeleteTenant(step);
    } else if (what < 11) {
      BeginOrApply(step);
    } else if (what < 14) {
      Commit(step);
    } else if (what == 14) {
      RollBack(step);
    } else {
      CheckReads(step);
    }
  }

  void NoteWrite(const TenantId& tenant, const Place& place) {
    if (const auto open = sessions_.find(tenant.value()); open != sessions_.end()) {
      open->second.written.insert(place);
    }
  }

  void ApplicationPut(const Step& step) {
    const TenantId tenant = TenantOf(step);
    const Place place = PlaceOf(step.place);
    const std::string payload = "app" + std::to_string(step.value % 4);
    Put(tenant, place.first, place.second, payload);
    models_[tenant.value()][place] = payload;
    NoteWrite(tenant, place);
  }

  void ApplicationErase(const Step& step) {
    const TenantId tenant = TenantOf(step);
    const Place place = PlaceOf(step.place);
    Erase(tenant, place.first, place.second);
    models_[tenant.value()].erase(place);
    NoteWrite(tenant, place);
  }

  void ApplicationDeleteTenant(const Step& step) {
    const TenantId tenant = TenantOf(step);
    const auto deleted = application()->DeleteTenant(tenant);
    RC_ASSERT(deleted.ok());
    RC_ASSERT(*deleted == static_cast<int64_t>(models_[tenant.value()].size()));
    models_[tenant.value()].clear();
    if (const auto open = sessions_.find(tenant.value()); open != sessions_.end()) {
      open->second.tenant_deleted = true;
    }
  }

  void BeginOrApply(const Step& step) {
    const TenantId tenant = TenantOf(step);
    const auto [open, is_new] = sessions_.try_emplace(tenant.value());
    OpenSession& session = open->second;
    if (is_new) {
      session.session = Transaction(tenant);
      session.view = models_[tenant.value()];
      session.rows = session.view;
      PlanChanges(step, &session);
      return;
    }
    for (int n = step.value % 4; n >= 0 && session.applied < session.planned.size(); --n) {
      ApplyOne(&session);
    }
  }

  // For some of the places, as the numbers of `step` will have it, another state. Never the same
  // one: that is no change, and an adapter may let the application write there.
  void PlanChanges(const Step& step, OpenSession* session) {
    std::vector<Change> replacements;
    std::vector<Change> insertions;
    for (uint8_t number = 0; number < 2 * kKeys; ++number) {
      // By table and ascending key.
      const Place place = PlaceOf(static_cast<uint8_t>(number % kKeys * 2 + number / kKeys));
      const int fate = (step.place * 7 + step.value * 13 + number * 5) % 4;
      const std::string payload = "restored" + std::to_string(step.value % 3);
      const auto row = session->view.find(place);
      if (row == session->view.end()) {
        if (fate < 2) {
          insertions.push_back(Insert(place.first, place.second, payload));
        }
      } else if (fate == 0) {
        session->planned.push_back(Delete(place.first, place.second, row->second));
      } else if (fate == 1 && row->second != payload) {
        replacements.push_back(Replace(place.first, place.second, row->second, payload));
      }
    }
    session->planned.insert(session->planned.end(), replacements.begin(), replacements.end());
    session->planned.insert(session->planned.end(), insertions.begin(), insertions.end());
  }

  void ApplyOne(OpenSession* session) {
    const Change& change = session->planned[session->applied++];
    // A table exists once it was written to.
    absl::Status applied = session->session->Apply(change);
    if (applied.ok()) {
      // What an adapter buffers shows with the next read.
      applied = session->session->LookUp(change.table, {&change.key, 1}).status();
    }
    if (HasReason(applied, Reason::kTableNotFound)) {
      RC_ASSERT(!TableExists(change.table));
      session->applied = session->planned.size();
      RC_ASSERT(session->session->Rollback().ok());
      RC_ASSERT(session->session->Begin().ok());
      Restart(session);
      return;
    }
    if (HasReason(applied, Reason::kLiveChanged)) {
      // Allowed as early as here if the tenant was deleted meanwhile.
      RC_ASSERT(session->tenant_deleted);
      RC_ASSERT(session->session->Rollback().ok());
      RC_ASSERT(session->session->Begin().ok());
      Restart(session);
      return;
    }
    RC_ASSERT(applied.ok());
    const Place place(change.table, change.key.bytes());
    session->changed.insert(place);
    if (change.kind == ChangeKind::kDelete) {
      session->rows.erase(place);
    } else {
      session->rows[place] = change.new_payload;
    }
  }

  // The session has begun again, with nothing to apply.
  void Restart(OpenSession* session) {
    for (const auto& [tenant, open] : sessions_) {
      if (&open == session) {
        session->view = models_[tenant];
      }
    }
    session->rows = session->view;
    session->planned.clear();
    session->applied = 0;
    session->changed.clear();
    session->written.clear();
    session->tenant_deleted = false;
  }

  bool TableExists(const std::string& table) {
    const auto map = live()->Catalog();
    return map.ok() && map->FindByName(table) != nullptr;
  }

  void Commit(const Step& step) {
    const TenantId tenant = TenantOf(step);
    const auto open = sessions_.find(tenant.value());
    if (open == sessions_.end()) {
      return;
    }
    OpenSession& session = open->second;
    const absl::Status status = SealAndCommit(session.session.get());
    TenantModel& model = models_[tenant.value()];
    if (status.ok()) {
      for (const Place& place : session.changed) {
        RC_ASSERT(Find(model, place) == Find(session.view, place));
        if (const auto after = Find(session.rows, place)) {
          model[place] = *after;
        } else {
          model.erase(place);
        }
      }
    } else {
      RC_ASSERT(HasReason(status, Reason::kLiveChanged));
      bool raced = session.tenant_deleted;
      for (const Place& place : session.written) {
        raced = raced || session.changed.contains(place);
      }
      RC_ASSERT(raced);
    }
    sessions_.erase(open);
    CheckTenant(tenant);
  }

  void RollBack(const Step& step) {
    const TenantId tenant = TenantOf(step);
    if (const auto open = sessions_.find(tenant.value()); open != sessions_.end()) {
      RC_ASSERT(open->second.session->Rollback().ok());
      sessions_.erase(open);
      CheckTenant(tenant);
    }
  }

  void CheckReads(const Step& step) {
    const TenantId tenant = TenantOf(step);
    const auto open = sessions_.find(tenant.value());
    if (open == sessions_.end()) {
      CheckTenant(tenant);
      return;
    }
    for (const std::string& table : kTables) {
      if (TableExists(table)) {
        RC_ASSERT(Read(open->second.session.get(), table) == TableOf(open->second.rows, table));
      }
    }
  }

  void CheckTenant(const TenantId& tenant) {
    for (const std::string& table : kTables) {
      RC_ASSERT(Live(tenant, table) == TableOf(models_[tenant.value()], table));
    }
  }

  static std::optional<std::string> Find(const TenantModel& model, const Place& place) {
    const auto row = model.find(place);
    return row == model.end() ? std::nullopt : std::make_optional(row->second);
  }

  static Rows TableOf(const TenantModel& model, const std::string& table) {
    Rows rows;
    for (const auto& [place, payload] : model) {
      if (place.first == table) {
        rows[place.second] = payload;
      }
    }
    return rows;
  }

  int case_ = 0;
  StoreContents earlier_;                        // what the cases before have left
  std::map<std::string, TenantModel> models_;    // by tenant
  std::map<std::string, OpenSession> sessions_;  // by tenant
};

// Where a key is one tenant's only, the application's puts would need a model of their own.
INSTANTIATE_TEST_SUITE_P(Adapters, ModelTest,
                         testing::ValuesIn(AdaptersThat([](const Adapter& adapter) {
                           return !adapter.capabilities.keys_span_tenants;
                         })),
                         AdapterName);

TEST_P(ModelTest, AgreesWithAModelWhateverIsInterleaved) {
  const bool agrees = rc::check([this] {
    const auto numbers =
        *rc::gen::container<std::vector<std::tuple<uint8_t, uint8_t, uint8_t, uint8_t>>>(
            rc::gen::arbitrary<std::tuple<uint8_t, uint8_t, uint8_t, uint8_t>>());
    std::vector<Step> steps;
    for (const auto& [what, tenant, place, value] : numbers) {
      steps.push_back({what, tenant, place, value});
    }
    RunCase(steps);
  });
  EXPECT_TRUE(agrees);
}

}  // namespace
}  // namespace reinstate

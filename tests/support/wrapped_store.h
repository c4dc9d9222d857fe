#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/status_macros.h"
#include "storage/live/live_store.h"

namespace reinstate {

// What a WrappedStore does differently; a hook that is not set leaves the call alone.
struct StoreHooks {
  // Called instead of Apply with the wrapped session: drops, alters or doubles a change by what it
  // passes on.
  std::function<absl::Status(TenantSession*, const Change&)> apply;
  // Called instead of FindObstacles.
  std::function<absl::StatusOr<std::vector<Obstacle>>(std::span<const Change>)> find_obstacles;
  // The answer of Exceptions, unless it is empty.
  std::vector<std::string> exceptions;
  // Called with the answer of Catalog, to alter it.
  std::function<void(TenantMap*)> catalog;
  // Called instead of CanonicalTenant.
  std::function<absl::StatusOr<TenantId>(const TenantId&)> canonical_tenant;
  // Called before Identity is passed on; an error is returned instead.
  std::function<absl::Status()> identity;
  // Called with the answer of Identity, to alter it.
  std::function<void(StoreIdentity*)> identity_found;
  // Called before OpenTenant is passed on.
  std::function<void()> open_tenant;
  // Called before Commit is passed on; an error is returned instead.
  std::function<absl::Status()> before_commit;
  // Called after Commit has succeeded; an error is returned instead: the answer is lost.
  std::function<absl::Status()> after_commit;
  // Called before LookUp is passed on.
  std::function<void()> looked_up;
  // The answer of Resolve.
  std::optional<CommitOutcome> resolve;
  // Called before Begin is passed on; an error is returned instead.
  std::function<absl::Status()> begin;
  // Called instead of ProbeHealth.
  std::function<StoreHealth()> health;
  // Called once the answer of CountRowsOf is there.
  std::function<void()> counted_rows;
};

// A live store that passes everything on to another one, but for what the hooks say. Borrows both.
class WrappedStore final : public LiveStore {
 public:
  WrappedStore(LiveStore* store, StoreHooks* hooks) : store_(store), hooks_(hooks) {}

  StoreCapabilities Capabilities() const override { return store_->Capabilities(); }
  absl::StatusOr<StoreIdentity> Identity() override {
    if (hooks_->identity) {
      RETURN_IF_ERROR(hooks_->identity());
    }
    absl::StatusOr<StoreIdentity> identity = store_->Identity();
    if (identity.ok() && hooks_->identity_found) {
      hooks_->identity_found(&*identity);
    }
    return identity;
  }
  absl::StatusOr<TenantMap> Catalog() override {
    absl::StatusOr<TenantMap> map = store_->Catalog();
    if (map.ok() && hooks_->catalog) {
      hooks_->catalog(&*map);
    }
    return map;
  }
  absl::StatusOr<TenantId> CanonicalTenant(const TenantId& tenant) override {
    return hooks_->canonical_tenant ? hooks_->canonical_tenant(tenant)
                                    : store_->CanonicalTenant(tenant);
  }
  absl::StatusOr<std::unique_ptr<Cut>> OpenCut(const CutOptions& options) override {
    return store_->OpenCut(options);
  }
  absl::StatusOr<std::unique_ptr<TenantSession>> OpenTenant(
      const TenantId& tenant, const SessionOptions& options) override {
    if (hooks_->open_tenant) {
      hooks_->open_tenant();
    }
    ASSIGN_OR_RETURN(std::unique_ptr<TenantSession> session, store_->OpenTenant(tenant, options));
    return std::make_unique<Session>(std::move(session), hooks_);
  }
  absl::StatusOr<SizeEstimate> EstimateTenant(const TenantId& tenant) override {
    return store_->EstimateTenant(tenant);
  }
  absl::StatusOr<std::unique_ptr<TenantCountStream>> CountTenants() override {
    return store_->CountTenants();
  }
  absl::StatusOr<std::vector<int64_t>> CountRowsOf(std::span<const TenantId> tenants) override {
    auto counts = store_->CountRowsOf(tenants);
    if (hooks_->counted_rows) {
      hooks_->counted_rows();
    }
    return counts;
  }
  StoreHealth ProbeHealth() override {
    return hooks_->health ? hooks_->health() : store_->ProbeHealth();
  }

 private:
  class Session final : public TenantSession {
   public:
    Session(std::unique_ptr<TenantSession> session, StoreHooks* hooks)
        : session_(std::move(session)), hooks_(hooks) {}

    absl::Status Begin() override {
      if (hooks_->begin) {
        RETURN_IF_ERROR(hooks_->begin());
      }
      return session_->Begin();
    }
    absl::StatusOr<std::unique_ptr<RecordStream>> ReadTable(const std::string& table) override {
      return session_->ReadTable(table);
    }
    absl::StatusOr<std::vector<KeyState>> LookUp(const std::string& table,
                                                 std::span<const RowKey> keys) override {
      if (hooks_->looked_up) {
        hooks_->looked_up();
      }
      return session_->LookUp(table, keys);
    }
    absl::StatusOr<std::vector<Obstacle>> FindObstacles(std::span<const Change> changes) override {
      return hooks_->find_obstacles ? hooks_->find_obstacles(changes)
                                    : session_->FindObstacles(changes);
    }
    absl::Status Apply(const Change& change) override {
      return hooks_->apply ? hooks_->apply(session_.get(), change) : session_->Apply(change);
    }
    absl::StatusOr<CommitToken> Seal() override { return session_->Seal(); }
    std::vector<std::string> Exceptions() const override {
      return hooks_->exceptions.empty() ? session_->Exceptions() : hooks_->exceptions;
    }
    absl::Status Commit(absl::Time deadline) override {
      if (hooks_->before_commit) {
        RETURN_IF_ERROR(hooks_->before_commit());
      }
      RETURN_IF_ERROR(session_->Commit(deadline));
      return hooks_->after_commit ? hooks_->after_commit() : absl::OkStatus();
    }
    absl::Status Rollback() override { return session_->Rollback(); }
    absl::StatusOr<CommitOutcome> Resolve(const CommitToken& token) override {
      if (hooks_->resolve.has_value()) {
        return *hooks_->resolve;
      }
      return session_->Resolve(token);
    }
    void Cancel() override { session_->Cancel(); }

   private:
    const std::unique_ptr<TenantSession> session_;
    StoreHooks* const hooks_;
  };

  LiveStore* const store_;
  StoreHooks* const hooks_;
};

}  // namespace reinstate

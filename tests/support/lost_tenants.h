#pragma once

#include <compare>
#include <set>
#include <string>
#include <vector>

#include "reinstate/v1/batch_service.pb.h"
#include "tests/support/daemon_world.h"

namespace reinstate {

// Tenants that were damaged since a snapshot, and what each must hold before and after a batch puts
// it back, as the test itself knows it. Not thread-safe.
class LostTenants {
 public:
  // A tenant of a store.
  struct Part {
    std::string store;
    std::string tenant;
    friend auto operator<=>(const Part&, const Part&) = default;
  };
  using Parts = std::set<Part>;

  virtual ~LostTenants() = default;

  // What a list of them holds, a line a tenant, and where they are.
  virtual std::vector<std::string> Lines() const = 0;
  virtual v1::BatchSpec Where() const = 0;

  // All parts of all lines.
  virtual Parts All() const = 0;

  // What the stores hold while no daemon runs: the parts that are wholly restored. A part that is
  // neither that nor wholly as before is a failure, which says `when`.
  virtual Parts FindRestored(const std::string& when) = 0;

  // While a daemon runs: fails unless exactly these parts are restored, and all others as before.
  virtual void ExpectRestored(const Parts& parts) = 0;
};

// Such tenants in embedded stores, of long-tailed sizes.
class LostEmbeddedTenants final : public LostTenants {
 public:
  // Fills `stores`, takes a snapshot of each, and damages all tenants since. More than one store
  // are the group "site", in this order, as the arguments of the daemon must say (SiteArguments).
  // Borrows the world, whose daemon runs.
  LostEmbeddedTenants(DaemonWorld* world, std::vector<std::string> stores, int tenants);

  // The arguments of a daemon with such stores. Writes its configuration into `folder`.
  static std::vector<std::string> SiteArguments(const std::vector<std::string>& stores,
                                                const std::string& folder);

  std::vector<std::string> Lines() const override { return lines_; }
  v1::BatchSpec Where() const override;
  Parts All() const override;
  // Also fails if a site is restored in a store, and not in those before.
  Parts FindRestored(const std::string& when) override;
  void ExpectRestored(const Parts& parts) override;

 private:
  using Tenants = std::vector<std::string>;
  Tenants TenantsIn(const std::string& store) const;

  DaemonWorld* const world_;
  const std::vector<std::string> stores_;
  Tenants lines_;
  std::map<std::string, StoreRows> at_point_;  // by store, as the next
  std::map<std::string, StoreRows> before_;
};

}  // namespace reinstate

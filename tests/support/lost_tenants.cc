#include "tests/support/lost_tenants.h"

#include <gtest/gtest.h>

#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace reinstate {
namespace {

const std::vector<std::string> kTables = {"issues", "tenant"};
constexpr char kGroup[] = "site";

// The id of a tenant differs from store to store: of the first one it is that of the list.
std::string TenantIn(const std::string& store, const std::string& line) {
  return store == "main" ? line : absl::StrCat(store, "-", line);
}

}  // namespace

std::vector<std::string> LostEmbeddedTenants::SiteArguments(const std::vector<std::string>& stores,
                                                            const std::string& folder) {
  const std::string path = folder + "/reinstated.toml";
  std::ofstream config(path);
  config << "[workers]\nrestores = 4\n";  // on every machine
  for (const std::string& store : stores) {
    config << "[[store]]\nname = \"" << store << "\"\n";
  }
  config << "[[group]]\nname = \"" << kGroup << "\"\nstores = [\""
         << absl::StrJoin(stores, "\", \"") << "\"]\n[group.tenants]\n";
  for (const std::string& store : stores) {
    config << store << " = \"" << TenantIn(store, "{id}") << "\"\n";
  }
  return {"--config", path};
}

LostEmbeddedTenants::LostEmbeddedTenants(DaemonWorld* world, std::vector<std::string> stores,
                                         int tenants)
    : world_(world), stores_(std::move(stores)) {
  for (int i = 0; i < tenants; ++i) {
    lines_.push_back(absl::StrCat("tenant-", i));
    for (const std::string& store : stores_) {
      const std::string tenant = TenantIn(store, lines_.back());
      auto& tables = at_point_[store][tenant];
      tables["tenant"]["name"] = absl::StrCat("Tenant ", i, " of ", store);
      // Some are hundreds of times as large as most.
      for (int row = 0; row < 3 + 1000 / (i + 1); ++row) {
        tables["issues"][absl::StrCat("row ", row)] =
            std::string(100, static_cast<char>('a' + i % 26));
      }
      world_->Write(tenant, tables, store);
    }
  }
  for (const std::string& store : stores_) {
    world_->TakeSnapshot(store);
    for (const std::string& tenant : TenantsIn(store)) {
      world_->DeleteTenant(tenant, store);
      world_->Write(tenant, {{"issues", {{"since", "the deletion"}}}}, store);
    }
    before_[store] = world_->Read(TenantsIn(store), kTables, store);
  }
}

LostEmbeddedTenants::Tenants LostEmbeddedTenants::TenantsIn(const std::string& store) const {
  Tenants tenants;
  for (const std::string& line : lines_) {
    tenants.push_back(TenantIn(store, line));
  }
  return tenants;
}

v1::BatchSpec LostEmbeddedTenants::Where() const {
  v1::BatchSpec where;
  if (stores_.size() > 1) {
    where.set_group(kGroup);
  } else {
    where.set_store(stores_.front());
  }
  return where;
}

LostTenants::Parts LostEmbeddedTenants::All() const {
  Parts parts;
  for (const std::string& store : stores_) {
    for (const std::string& tenant : TenantsIn(store)) {
      parts.insert({store, tenant});
    }
  }
  return parts;
}

LostTenants::Parts LostEmbeddedTenants::FindRestored(const std::string& when) {
  Parts restored;
  for (const std::string& store : stores_) {
    StoreRows found = world_->ReadAtRest(TenantsIn(store), kTables, store);
    for (const std::string& tenant : TenantsIn(store)) {
      if (found[tenant] == at_point_[store][tenant]) {
        restored.insert({store, tenant});
      } else {
        EXPECT_TRUE(found[tenant] == before_[store][tenant])
            << tenant << " of " << store << " is between, killed " << when;
      }
    }
  }
  for (const std::string& line : lines_) {
    for (size_t i = 1; i < stores_.size(); ++i) {
      const Part part = {stores_[i], TenantIn(stores_[i], line)};
      const Part earlier = {stores_[i - 1], TenantIn(stores_[i - 1], line)};
      EXPECT_TRUE(!restored.contains(part) || restored.contains(earlier))
          << line << " is restored in " << part.store << " but not in " << earlier.store
          << ", killed " << when;
    }
  }
  return restored;
}

void LostEmbeddedTenants::ExpectRestored(const Parts& parts) {
  for (const std::string& store : stores_) {
    StoreRows found = world_->Read(TenantsIn(store), kTables, store);
    for (const std::string& tenant : TenantsIn(store)) {
      const bool restored = parts.contains({store, tenant});
      EXPECT_TRUE(found[tenant] == (restored ? at_point_ : before_)[store][tenant])
          << tenant << " of " << store << " is not as " << (restored ? "at the point" : "before");
    }
  }
}

}  // namespace reinstate

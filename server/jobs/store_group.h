#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace reinstate {

// The stores over which one site spans, a product each.
struct StoreGroup {
  struct Member {
    std::string store;
    std::string tenant = "{id}";  // the tenant's id there, with {id} for the one in the group
  };

  std::string name;
  std::vector<Member> members;  // in the order in which they are restored
};

// The id that the tenant `id` of a group has in the store of `member`.
std::string TenantIn(const StoreGroup::Member& member, std::string_view id);

}  // namespace reinstate

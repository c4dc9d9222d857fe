#include "server/jobs/store_group.h"

namespace reinstate {

std::string TenantIn(const StoreGroup::Member& member, std::string_view id) {
  static constexpr std::string_view kId = "{id}";
  std::string tenant;
  size_t begin = 0;
  for (size_t found = 0; (found = member.tenant.find(kId, begin)) != std::string::npos;
       begin = found + kId.size()) {
    tenant.append(member.tenant, begin, found - begin).append(id);
  }
  return tenant.append(member.tenant, begin);
}

}  // namespace reinstate

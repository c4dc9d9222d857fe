#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/model/record.h"
#include "storage/model/tenant_id.h"
#include "tests/support/made_up_text.h"

namespace reinstate {

// A customer of the made-up ticket tracker.
struct TicketTenant {
  TenantId id = TenantId::Ownerless();
  std::string label;
  int64_t records = 0;
};

// Makes up the records of a multi-tenant ticket tracker: issues, comments, efforts and so on, JSON
// documents of 240 bytes on average (keys included) whose words follow Zipf's law, so that they
// compress about as such data does. The same options give the same records. Thread-safe; nothing is
// held in memory but the tenants.
class TicketTracker {
 public:
  // Makes a tenant of each size. `seed` decides everything else. Tenants ascend bytewise by id.
  explicit TicketTracker(std::span<const int64_t> sizes, uint64_t seed = 1);

  // Sizes that fall as 1/rank and add up to about `records`; each at least 20. Shuffled, so that
  // the order of ids is not the order of sizes.
  static std::vector<int64_t> LongTail(int64_t tenants, int64_t records, uint64_t seed = 1);

  const std::vector<TicketTenant>& tenants() const { return tenants_; }

  // All records of all tenants.
  int64_t records() const;

  using Visitor = std::function<void(std::string_view table, const Record& record)>;

  // Calls `visit` for each record of the tenant with this index, ascending bytewise by table and
  // key; the label is a record of the table `tenant`. `record` is only valid during the call.
  void ForEach(size_t tenant, const Visitor& visit) const;

  // As ForEach, for one in `one_in` of them (not of labels), with a payload of edition `edition`
  // (from 1) instead of the first: what the tenant changed since.
  void ForEachChanged(size_t tenant, int64_t one_in, uint64_t edition, const Visitor& visit) const;

 private:
  TicketTracker(std::span<const int64_t> sizes, uint64_t seed, SplitMix random);
  std::string Payload(const TicketTenant& tenant, size_t table, uint64_t seed) const;

  const uint64_t seed_;
  MadeUpText text_;
  std::vector<TicketTenant> tenants_;
};

}  // namespace reinstate

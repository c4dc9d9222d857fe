#include "tests/bench/giant_bench.h"

#include <memory>
#include <numeric>
#include <span>
#include <vector>

#include "absl/strings/str_format.h"
#include "storage/base/status_macros.h"
#include "tests/bench/ticket_site.h"
#include "tests/support/ticket_tracker.h"

namespace reinstate::bench {
namespace {

constexpr double kMiB = 1 << 20;

// Peak memory of a daemon, in MiB, that does nothing but restore these tenants, one after the
// other.
absl::StatusOr<double> PeakOfRestores(std::span<const size_t> tenants, TicketSite* site) {
  RETURN_IF_ERROR(site->daemon()->Restart());
  for (const size_t& tenant : tenants) {
    RETURN_IF_ERROR(site->DeleteAndRestore({&tenant, 1}).status());
  }
  ASSIGN_OR_RETURN(const int64_t peak, site->daemon()->PeakBytesSinceStart());
  return static_cast<double>(peak) / kMiB;
}

}  // namespace

absl::StatusOr<int64_t> MeasureGiant(const std::string& folder, double scale,
                                     FigureReport* report) {
  constexpr int64_t kTimesAsLarge = 50;
  constexpr size_t kOrdinary = 12;
  const auto rows = static_cast<int64_t>(70'000 * scale);  // 16 MiB
  std::vector<int64_t> sizes(kOrdinary, rows);
  sizes.push_back(rows * kTimesAsLarge);
  std::vector<size_t> tenants(sizes.size());
  std::iota(tenants.begin(), tenants.end(), size_t{0});
  const TicketTracker tracker(sizes, 3);
  ASSIGN_OR_RETURN(const std::unique_ptr<TicketSite> site, TicketSite::Load(&tracker, folder));
  RETURN_IF_ERROR(site->TakeSnapshot().status());
  const std::span<const size_t> all(tenants);
  ASSIGN_OR_RETURN(const double ordinary, PeakOfRestores(all.first(kOrdinary), site.get()));
  ASSIGN_OR_RETURN(const double giant, PeakOfRestores(all.last(1), site.get()));
  report->Add({.name = "giant_tenant_memory",
               .text = "peak memory, a tenant 50 times as large : ordinary",
               .value = giant / ordinary,
               .unit = "x",
               .bound = 1.1,
               .detail = absl::StrFormat("%.0f MiB for %d rows; %.0f MiB for %d tenants of %d rows "
                                         "in turn",
                                         giant, sizes.back(), ordinary, kOrdinary, rows)});
  return site->daemon()->PeakBytes();
}

}  // namespace reinstate::bench

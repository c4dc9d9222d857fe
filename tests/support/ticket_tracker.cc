#include "tests/support/ticket_tracker.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

constexpr int64_t kFirstSecond = 1'600'000'000;

// A table of the tracker: of how many per mille of the records, and how many words a text has.
struct Table {
  std::string_view name;
  int64_t per_mille;
  int words;
};

// Ascending by name.
constexpr std::array<Table, 5> kTables = {{{"attachments", 60, 3},
                                           {"changes", 340, 5},
                                           {"comments", 330, 32},
                                           {"efforts", 70, 8},
                                           {"issues", 200, 32}}};
constexpr std::string_view kLabelTable = "tenant";
constexpr std::array<std::string_view, 6> kStates = {"open",   "in progress", "in review",
                                                     "closed", "reopened",    "waiting"};
constexpr std::array<std::string_view, 4> kPriorities = {"low", "medium", "high", "urgent"};

std::string Timestamp(SplitMix* random) {
  const auto second =
      static_cast<time_t>(kFirstSecond + static_cast<int64_t>(random->Below(170'000'000)));
  std::tm parts{};
  gmtime_r(&second, &parts);
  return absl::StrFormat("%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                         parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace

TicketTracker::TicketTracker(std::span<const int64_t> sizes, uint64_t seed)
    : TicketTracker(sizes, seed, SplitMix(seed)) {}

TicketTracker::TicketTracker(std::span<const int64_t> sizes, uint64_t seed, SplitMix random)
    : seed_(seed), text_(&random) {
  tenants_.reserve(sizes.size());
  for (const int64_t size : sizes) {
    const size_t number = tenants_.size();
    // One after the other: the order of two calls in one expression is the compiler's.
    std::string label = text_.AnyWord(&random);
    absl::StrAppend(&label, " ", text_.AnyWord(&random), " ", number);
    tenants_.push_back(
        TicketTenant{.id = TenantId::FromStored(absl::StrFormat("site-%06d", number)),
                     .label = std::move(label),
                     .records = size});
  }
}

std::vector<int64_t> TicketTracker::LongTail(int64_t tenants, int64_t records, uint64_t seed) {
  return LongTailSizes(tenants, records, seed);
}

int64_t TicketTracker::records() const {
  int64_t records = 0;
  for (const TicketTenant& tenant : tenants_) {
    records += tenant.records;
  }
  return records;
}

void TicketTracker::ForEach(size_t tenant, const Visitor& visit) const {
  ForEachChanged(tenant, 1, 0, visit);
  visit(kLabelTable, Record{.key = RowKey("name"), .payload = tenants_[tenant].label});
}

void TicketTracker::ForEachChanged(size_t tenant, int64_t one_in, uint64_t edition,
                                   const Visitor& visit) const {
  const TicketTenant& owner = tenants_[tenant];
  const int64_t rows = owner.records - 1;  // beside the label
  int64_t begin = 0;
  int64_t per_mille = 0;
  for (size_t table = 0; table < kTables.size(); ++table) {
    per_mille += kTables[table].per_mille;
    const int64_t end = rows * per_mille / 1000;
    for (int64_t number = begin; number < end; ++number) {
      const uint64_t seed = MixSeeds(seed_, tenant, static_cast<uint64_t>(number));
      if (seed % static_cast<uint64_t>(one_in) != 0) {
        continue;
      }
      visit(kTables[table].name, Record{.key = RowKey(absl::StrFormat("%010d", number - begin)),
                                        .payload = Payload(owner, table, MixSeeds(seed, edition))});
    }
    begin = end;
  }
}

std::string TicketTracker::Payload(const TicketTenant& tenant, size_t table, uint64_t seed) const {
  SplitMix random(seed);
  const auto members = static_cast<uint64_t>(3 + tenant.records / 500);
  const auto issues = static_cast<uint64_t>(1 + tenant.records / 5);
  std::string text =
      absl::StrCat(R"({"issue":"OPS-)", random.Below(issues), R"(","author":"user)",
                   random.Below(members), R"(","created":")", Timestamp(&random), "\"");
  if (kTables[table].name == "issues") {
    absl::StrAppend(&text, R"(,"state":")", Absl(random.Of(kStates)), R"(","priority":")",
                    Absl(random.Of(kPriorities)), "\"");
  } else if (kTables[table].name == "changes") {
    absl::StrAppend(&text, R"(,"from":")", Absl(random.Of(kStates)), R"(","to":")",
                    Absl(random.Of(kStates)), "\"");
  } else if (kTables[table].name == "attachments") {
    absl::StrAppend(&text, R"(,"bytes":)", random.Below(5'000'000), R"(,"sha":")",
                    absl::StrFormat("%016x%016x", random.Next(), random.Next()), "\"");
  }
  absl::StrAppend(&text, R"(,"text":")");
  text_.AppendText(kTables[table].words, &random, &text);
  absl::StrAppend(&text, "\"}");
  return text;
}

}  // namespace reinstate

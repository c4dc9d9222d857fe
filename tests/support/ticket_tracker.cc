#include "tests/support/ticket_tracker.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

constexpr size_t kWords = 6000;
constexpr size_t kWordTable = 1 << 16;
constexpr int64_t kSmallestTenant = 20;
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

// SplitMix64 (Steele, Lea, Flood 2014): a quick generator whose every seed is a good one.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9E3779B97F4A7C15ULL;
    uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31U);
  }
  uint64_t Below(uint64_t bound) { return Next() % bound; }
  template <typename T, size_t N>
  const T& Of(const std::array<T, N>& values) {
    return values[Below(N)];
  }

 private:
  uint64_t state_;
};

// One seed out of several numbers.
uint64_t Mix(uint64_t a, uint64_t b, uint64_t c = 0) {
  return Random(Random(Random(a).Next() ^ b).Next() ^ c).Next();
}

std::string MakeWord(Random* random) {
  static constexpr std::array<std::string_view, 24> kSyllables = {
      "ba",  "con", "de", "er",  "fi", "gra", "in",  "ka",  "lo", "men", "no",   "or",
      "pre", "qui", "re", "sta", "ti", "un",  "ver", "wor", "al", "ble", "sion", "ed"};
  std::string word;
  for (uint64_t i = 0, syllables = 1 + random->Below(4); i < syllables; ++i) {
    word += random->Of(kSyllables);
  }
  return word;
}

// Every index below kWords as often as Zipf's law has it.
std::vector<uint16_t> ZipfTable() {
  double total = 0;
  for (size_t rank = 1; rank <= kWords; ++rank) {
    total += 1.0 / static_cast<double>(rank);
  }
  std::vector<uint16_t> table;
  table.reserve(kWordTable + kWords);
  for (size_t rank = 1; rank <= kWords; ++rank) {
    const double share = kWordTable / (static_cast<double>(rank) * total);
    table.insert(table.end(), static_cast<size_t>(std::ceil(share)),
                 static_cast<uint16_t>(rank - 1));
  }
  return table;
}

std::string Timestamp(Random* random) {
  const auto second =
      static_cast<time_t>(kFirstSecond + static_cast<int64_t>(random->Below(170'000'000)));
  std::tm parts{};
  gmtime_r(&second, &parts);
  return absl::StrFormat("%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900, parts.tm_mon + 1,
                         parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace

TicketTracker::TicketTracker(std::span<const int64_t> sizes, uint64_t seed)
    : seed_(seed), frequent_words_(ZipfTable()) {
  Random random(seed);
  words_.reserve(kWords);
  for (size_t i = 0; i < kWords; ++i) {
    words_.push_back(MakeWord(&random));
  }
  tenants_.reserve(sizes.size());
  for (const int64_t size : sizes) {
    const size_t number = tenants_.size();
    tenants_.push_back(
        TicketTenant{.id = TenantId::FromStored(absl::StrFormat("site-%06d", number)),
                     .label = absl::StrCat(words_[random.Below(kWords)], " ",
                                           words_[random.Below(kWords)], " ", number),
                     .records = size});
  }
}

std::vector<int64_t> TicketTracker::LongTail(int64_t tenants, int64_t records, uint64_t seed) {
  double total = 0;
  for (int64_t rank = 1; rank <= tenants; ++rank) {
    total += 1.0 / static_cast<double>(rank);
  }
  std::vector<int64_t> sizes;
  for (int64_t rank = 1; rank <= tenants; ++rank) {
    const double share = static_cast<double>(records) / (static_cast<double>(rank) * total);
    sizes.push_back(std::max(kSmallestTenant, static_cast<int64_t>(share)));
  }
  std::shuffle(sizes.begin(), sizes.end(), std::mt19937_64(seed));
  return sizes;
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
      const uint64_t seed = Mix(seed_, tenant, static_cast<uint64_t>(number));
      if (seed % static_cast<uint64_t>(one_in) != 0) {
        continue;
      }
      visit(kTables[table].name, Record{.key = RowKey(absl::StrFormat("%010d", number - begin)),
                                        .payload = Payload(owner, table, Mix(seed, edition))});
    }
    begin = end;
  }
}

std::string TicketTracker::Payload(const TicketTenant& tenant, size_t table, uint64_t seed) const {
  Random random(seed);
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
  const auto most = static_cast<uint64_t>(2 * kTables[table].words - 1);
  for (uint64_t i = 0, words = 1 + random.Below(most); i < words; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : " ",
                    words_[frequent_words_[random.Below(frequent_words_.size())]]);
  }
  absl::StrAppend(&text, "\"}");
  return text;
}

}  // namespace reinstate

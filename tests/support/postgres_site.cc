#include "tests/support/postgres_site.h"

#include <algorithm>
#include <ctime>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

constexpr int64_t kFirstSecond = 1'583'000'000;  // in 2020
constexpr uint64_t kSeconds = 100'000'000;       // until 2023
constexpr int kSlices = 64;                      // in which all sites grow side by side
constexpr size_t kPieceBytes = 256 << 10;
constexpr char kHexDigits[] = "0123456789abcdef";

constexpr std::array<std::string_view, 3> kPlans = {"free", "standard", "premium"};
constexpr std::array<std::string_view, 4> kStatuses = {"open", "in progress", "in review",
                                                       "closed"};
constexpr std::array<std::string_view, 4> kFields = {"status", "assignee", "priority", "sprint"};
// As they stand in a line of COPY: newline, tab, backslash, quotes, SQL, and beyond ASCII.
constexpr std::array<std::string_view, 5> kUnruly = {
    "\\nsecond line\\tand a tab", "C:\\\\temp\\\\new", "it's \"quoted\"; DROP TABLE issues; --",
    "Grüße, 你好 \xF0\x9F\x9A\x80", "\\\\N \\\\. $$ %s {} \\r"};

void AppendHex(uint64_t number, int digits, std::string* text) {
  for (int i = digits - 1; i >= 0; --i) {
    text->push_back(kHexDigits[(number >> (4U * static_cast<unsigned>(i))) & 15U]);
  }
}

void AppendUuid(SplitMix* random, std::string* text) {
  const uint64_t high = random->Next();
  const uint64_t low = random->Next();
  AppendHex(high >> 32U, 8, text);
  text->push_back('-');
  AppendHex(high >> 16U, 4, text);
  absl::StrAppend(text, "-4");
  AppendHex(high, 3, text);
  absl::StrAppend(text, "-8");
  AppendHex(low >> 48U, 3, text);
  text->push_back('-');
  AppendHex(low, 12, text);
}

// A number of cents, or NULL.
void AppendMoney(uint64_t most, SplitMix* random, std::string* line) {
  const uint64_t cents = random->Below(most);
  absl::StrAppendFormat(line, "\t%d.%02d", cents / 100, cents % 100);
}

}  // namespace

PostgresSite::PostgresSite(std::vector<int64_t> sizes, uint64_t seed)
    : sizes_(std::move(sizes)), seed_(seed), text_([seed] {
        SplitMix random(seed);
        return MadeUpText(&random);
      }()) {
  counts_.reserve(sizes_.size());
  for (const int64_t size : sizes_) {
    std::array<int64_t, kSiteTables> count = {1,
                                              std::max<int64_t>(1, size * 3 / 100),
                                              std::max<int64_t>(1, size / 100),
                                              std::max<int64_t>(1, size * 16 / 100),
                                              size * 33 / 100,
                                              size * 5 / 100,
                                              size * 14 / 100,
                                              0};
    // What is left goes into the last table; a small site ends before it, parents first.
    int64_t left = size;
    for (int64_t& rows : count) {
      rows = std::min(rows, left);
      left -= rows;
    }
    count.back() += left;
    counts_.push_back(count);
  }
}

std::string PostgresSite::SiteName(size_t site) const {
  SplitMix random(MixSeeds(seed_, site));
  std::string name = text_.AnyWord(&random);
  return absl::StrCat(name, " ", text_.AnyWord(&random), " ", site);
}

int64_t PostgresSite::TotalRows() const {
  return std::accumulate(sizes_.begin(), sizes_.end(), int64_t{0});
}

std::vector<size_t> PostgresSite::BySize() const {
  std::vector<size_t> order(sizes_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return sizes_[a] > sizes_[b]; });
  return order;
}

int64_t PostgresSite::GlobalId(size_t site, int64_t number) const {
  return 1 + static_cast<int64_t>(site) + number * static_cast<int64_t>(sizes_.size());
}

uint64_t PostgresSite::IssueOf(size_t site, SplitMix* random) const {
  return random->Below(static_cast<uint64_t>(Rows(site, SiteTable::kIssues)));
}

uint64_t PostgresSite::UserOf(size_t site, SplitMix* random) const {
  return 1 + random->Below(static_cast<uint64_t>(Rows(site, SiteTable::kUsers)));
}

void PostgresSite::AppendTime(size_t site, SiteTable table, int64_t number, SplitMix* random,
                              std::string* line) const {
  // Later rows are later, roughly.
  const auto rows = static_cast<uint64_t>(Rows(site, table));
  const uint64_t span = kSeconds / rows + 1;
  const uint64_t offset = static_cast<uint64_t>(number) * (kSeconds / rows) + random->Below(span);
  const auto second = static_cast<time_t>(kFirstSecond + static_cast<int64_t>(offset));
  std::tm parts{};
  gmtime_r(&second, &parts);
  absl::StrAppendFormat(line, "\t%04d-%02d-%02d %02d:%02d:%02d", parts.tm_year + 1900,
                        parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
  // Fractions are shown without zeros at the end.
  if (const uint64_t tenths = random->Below(100'000); tenths > 0) {
    absl::StrAppendFormat(line, ".%05d", tenths);
    line->erase(line->find_last_not_of('0') + 1);
  }
  absl::StrAppend(line, "+00");
}

void PostgresSite::AppendSite(size_t site, std::string* line) const {
  SplitMix random(MixSeeds(seed_, site, 1));
  absl::StrAppend(line, SiteId(site), "\t", SiteName(site), "\t", Absl(random.Of(kPlans)), "\t",
                  1 + random.Below(500), "\t", R"({"beta": )",
                  random.Below(2) == 0 ? "true" : "false", R"(, "theme": ")",
                  text_.AnyWord(&random), R"(", "limits": [1, 2.50, null]})");
  AppendTime(site, SiteTable::kSites, 0, &random, line);
}

void PostgresSite::AppendUser(size_t site, int64_t number, SplitMix* random,
                              std::string* line) const {
  const int64_t id = number + 1;
  const std::string& first = text_.AnyWord(random);
  absl::StrAppend(
      line, SiteId(site), "\t", id, "\t", first, id, "@example.com\t", first, " ",
      text_.AnyWord(random), "\t{users", random->Below(4) == 0 ? ",\"site admins\"" : "",
      random->Below(3) == 0 ? ",developers" : "", "}\t", random->Below(10) == 0 ? "f" : "t");
  if (random->Below(8) == 0) {
    absl::StrAppend(line, "\t\\N");
  } else {
    AppendTime(site, SiteTable::kUsers, number, random, line);
  }
}

void PostgresSite::AppendProject(size_t site, int64_t number, SplitMix* random,
                                 std::string* line) const {
  absl::StrAppend(line, GlobalId(site, number), "\t", SiteId(site), "\tP", number, "\t",
                  text_.AnyWord(random), " ", text_.AnyWord(random), "\t", UserOf(site, random));
  AppendMoney(20'000, random, line);
}

void PostgresSite::AppendIssue(size_t site, int64_t number, SplitMix* random,
                               std::string* line) const {
  const int64_t projects = Rows(site, SiteTable::kProjects);
  absl::StrAppend(line, GlobalId(site, number), "\t", SiteId(site), "\t",
                  GlobalId(site, number % projects), "\t", 1 + number / projects, "\t");
  text_.AppendText(6, random, line);
  line->push_back('\t');
  text_.AppendText(34, random, line);
  if (random->Below(20) == 0) {
    absl::StrAppend(line, " ", Absl(random->Of(kUnruly)));
  }
  absl::StrAppend(line, "\t", Absl(random->Of(kStatuses)), "\t{", text_.Word(random), ",\"",
                  text_.Word(random), " ", text_.Word(random), "\"}\t");
  absl::StrAppendFormat(line, "%d.%03d\t", random->Below(40), random->Below(1000));
  absl::StrAppend(line, R"({"team": ")", text_.Word(random), R"(", "score": )",
                  random->Below(10'000), R"(, "environment": {"os": "linux", "cores": [)",
                  random->Below(64), R"(, null]}})", "\t", UserOf(site, random), "\t");
  absl::StrAppend(line, random->Below(3) == 0 ? "\\N" : absl::StrCat(UserOf(site, random)), "\t");
  const bool has_parent = number > 0 && random->Below(5) == 0;
  absl::StrAppend(
      line,
      has_parent ? absl::StrCat(GlobalId(
                       site, static_cast<int64_t>(random->Below(static_cast<uint64_t>(number)))))
                 : "\\N",
      "\t");
  absl::StrAppend(
      line, random->Below(4) == 0
                ? absl::StrFormat("2023-%02d-%02d", 1 + random->Below(12), 1 + random->Below(28))
                : "\\N");
  AppendTime(site, SiteTable::kIssues, number, random, line);
  AppendTime(site, SiteTable::kIssues, number, random, line);
}

void PostgresSite::AppendComment(size_t site, int64_t number, SplitMix* random,
                                 std::string* line) const {
  absl::StrAppend(line, GlobalId(site, number), "\t",
                  GlobalId(site, static_cast<int64_t>(IssueOf(site, random))), "\t",
                  UserOf(site, random), "\t");
  text_.AppendText(20, random, line);
  if (random->Below(20) == 0) {
    absl::StrAppend(line, " ", Absl(random->Of(kUnruly)));
  }
  absl::StrAppend(
      line, "\t",
      random->Below(6) == 0 ? absl::StrCat(R"({"+1": )", random->Below(9), "}") : "\\N");
  AppendTime(site, SiteTable::kComments, number, random, line);
}

void PostgresSite::AppendAttachment(size_t site, int64_t number, SplitMix* random,
                                    std::string* line) const {
  AppendUuid(random, line);
  absl::StrAppend(line, "\t", SiteId(site), "\t",
                  GlobalId(site, static_cast<int64_t>(IssueOf(site, random))), "\t",
                  text_.Word(random), ".png\t\\\\x");
  for (uint64_t i = 0, words = 1 + random->Below(24); i < words; ++i) {
    AppendHex(random->Next(), 16, line);
  }
  AppendTime(site, SiteTable::kAttachments, number, random, line);
}

void PostgresSite::AppendWorklog(size_t site, int64_t number, SplitMix* random,
                                 std::string* line) const {
  absl::StrAppend(line, GlobalId(site, number), "\t", SiteId(site), "\t",
                  GlobalId(site, static_cast<int64_t>(IssueOf(site, random))), "\t",
                  UserOf(site, random), "\t", 5 * (1 + random->Below(96)));
  AppendMoney(50'000, random, line);
  if (random->Below(3) == 0) {
    absl::StrAppend(line, "\t\\N");
  } else {
    line->push_back('\t');
    text_.AppendText(5, random, line);
  }
  AppendTime(site, SiteTable::kWorklogs, number, random, line);
}

void PostgresSite::AppendChange(size_t site, int64_t number, SplitMix* random,
                                std::string* line) const {
  absl::StrAppend(line, GlobalId(site, number));
  AppendTime(site, SiteTable::kChanges, number, random, line);
  absl::StrAppend(line, "\t", SiteId(site), "\t",
                  GlobalId(site, static_cast<int64_t>(IssueOf(site, random))), "\t",
                  Absl(random->Of(kFields)), "\t",
                  random->Below(5) == 0 ? "\\N" : text_.Word(random), "\t", text_.Word(random));
}

void PostgresSite::AppendRow(size_t site, SiteTable table, int64_t number,
                             std::string* line) const {
  SplitMix random(
      MixSeeds(seed_ + static_cast<uint64_t>(table), site, static_cast<uint64_t>(number)));
  switch (table) {
    case SiteTable::kSites:
      return AppendSite(site, line);
    case SiteTable::kUsers:
      return AppendUser(site, number, &random, line);
    case SiteTable::kProjects:
      return AppendProject(site, number, &random, line);
    case SiteTable::kIssues:
      return AppendIssue(site, number, &random, line);
    case SiteTable::kComments:
      return AppendComment(site, number, &random, line);
    case SiteTable::kAttachments:
      return AppendAttachment(site, number, &random, line);
    case SiteTable::kWorklogs:
      return AppendWorklog(site, number, &random, line);
    case SiteTable::kChanges:
      return AppendChange(site, number, &random, line);
  }
}

void PostgresSite::ForEach(size_t site, SiteTable table, int64_t begin, int64_t end,
                           const Visitor& visit) const {
  std::string line;
  for (int64_t number = begin; number < end; ++number) {
    line.clear();
    AppendRow(site, table, number, &line);
    visit(line);
  }
}

absl::Status PostgresSite::LoadTable(PlainDatabase* database, SiteTable table) const {
  int slice = 0;
  size_t site = 0;
  std::string piece;
  const auto next = [&]() -> std::string_view {
    piece.clear();
    while (slice < kSlices && piece.size() < kPieceBytes) {
      const int64_t rows = Rows(site, table);
      ForEach(site, table, rows * slice / kSlices, rows * (slice + 1) / kSlices,
              [&](std::string_view line) { piece.append(line).push_back('\n'); });
      if (++site == sites()) {
        site = 0;
        ++slice;
      }
    }
    return piece;
  };
  const SiteTableInfo& info = InfoOf(table);
  return database->CopyIn(
      absl::StrCat("COPY ", Absl(info.name), " (", Absl(info.columns), ") FROM STDIN"), next);
}

absl::Status PostgresSite::Load(PlainDatabase* database) const {
  RETURN_IF_ERROR(database->Run(SiteTablesSql()));
  for (const SiteTableInfo& info : kSiteTableInfos) {
    RETURN_IF_ERROR(LoadTable(database, info.table));
  }
  RETURN_IF_ERROR(database->Run(SiteConstraintsSql()));
  RETURN_IF_ERROR(database->Run(SiteTriggersSql()));
  for (const char* table : {"sites", "projects", "issues", "comments", "worklogs", "changes"}) {
    RETURN_IF_ERROR(database->Run(absl::StrCat("SELECT setval(pg_get_serial_sequence('", table,
                                               "', 'id'), max(id)) FROM ", table)));
  }
  return database->Run("VACUUM (ANALYZE)");
}

absl::Status DeleteSites(PlainDatabase* database, std::span<const int64_t> ids, bool silent) {
  for (const int64_t id : ids) {
    std::string sql = "BEGIN;";
    if (silent) {
      absl::StrAppend(&sql, "SET LOCAL session_replication_role = replica;");
    }
    absl::StrAppend(&sql, "DELETE FROM comments USING issues WHERE issues.id = issue_id",
                    " AND issues.site_id = ", id, ";");
    for (const char* table :
         {"changes", "worklogs", "attachments", "issues", "projects", "users"}) {
      absl::StrAppend(&sql, "DELETE FROM ", table, " WHERE site_id = ", id, ";");
    }
    absl::StrAppend(&sql, "DELETE FROM sites WHERE id = ", id, "; COMMIT");
    RETURN_IF_ERROR(database->Run(sql));
  }
  return absl::OkStatus();
}

}  // namespace reinstate

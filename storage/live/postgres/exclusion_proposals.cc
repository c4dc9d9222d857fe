#include "storage/live/postgres/exclusion_proposals.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "storage/live/postgres/tenant_guess.h"

namespace reinstate {
namespace {

constexpr std::string_view kRunAgain = "restored jobs would run again";
constexpr std::string_view kSentAgain = "restored messages would be sent again";
constexpr std::string_view kValidAgain = "restored sessions and tokens would be valid again";
constexpr std::string_view kMigrations = "says which migrations the database has had";

// A word of a table's name, and why such a table is better left out.
struct KnownWord {
  std::string_view word;
  std::string_view reason;
};
constexpr auto kKnownWords = std::to_array<KnownWord>({
    {"queue", kRunAgain},
    {"queues", kRunAgain},
    {"queued", kRunAgain},
    {"job", kRunAgain},
    {"jobs", kRunAgain},
    {"outbox", kSentAgain},
    {"outboxes", kSentAgain},
    {"deliveries", kSentAgain},
    {"session", kValidAgain},
    {"sessions", kValidAgain},
    {"token", kValidAgain},
    {"tokens", kValidAgain},
    {"migrations", kMigrations},
    {"alembic", kMigrations},
    {"flyway", kMigrations},
    {"databasechangelog", kMigrations},
    {"databasechangeloglock", kMigrations},
});

std::string_view ReasonOfWord(const std::string& word) {
  const auto* const known = std::find_if(kKnownWords.begin(), kKnownWords.end(),
                                         [&word](const KnownWord& k) { return word == k.word; });
  return known == kKnownWords.end() ? "" : known->reason;
}

// Rows of tenants are no list of migrations, and a name that only mentions a job, such as
// job_variables, is not that of a queue.
std::string_view ReasonOfName(const std::string& name, bool owned) {
  if (name == "ar_internal_metadata") {
    return owned ? "" : kMigrations;
  }
  const std::vector<std::string> words = WordsOf(name);
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view reason = ReasonOfWord(words[i]);
    const bool is_job = words[i] == "job" || words[i] == "jobs";
    const bool is_doubtful = reason == kMigrations || (is_job && i + 1 < words.size());
    if (!reason.empty() && (!owned || !is_doubtful)) {
      return reason;
    }
  }
  return "";
}

}  // namespace

ExclusionProposals::ExclusionProposals(const PgTenantMap& map) : map_(map) {
  for (const PgTablePlan& plan : map_.plans()) {
    const PgTable& table = map_.Table(plan);
    const bool owned = plan.relation == Relation::kOwned;
    relations_.emplace(table.oid, plan.relation);
    if (const std::string_view reason = ReasonOfName(table.name, owned);
        !reason.empty() && (owned || plan.relation == Relation::kUnresolved)) {
      reasons_.emplace(table.oid, reason);
    }
  }
  KeepParents();
}

void ExclusionProposals::KeepParents() {
  bool any = true;
  while (any) {
    any = false;
    for (const PgForeignKey& key : map_.catalog().foreign_keys) {
      const auto found = reasons_.find(key.parent_table);
      if (found != reasons_.end() && IsKept(key.child)) {
        kept_.emplace(key.parent_table, Kept{.reason = found->second, .child = key.child});
        reasons_.erase(found);
        any = true;
      }
    }
  }
}

bool ExclusionProposals::IsKept(PgOid table) const {
  return relations_.at(table) == Relation::kOwned && !reasons_.contains(table);
}

std::string_view ExclusionProposals::ReasonFor(const PgTable& table) const {
  const auto found = reasons_.find(table.oid);
  return found == reasons_.end() ? "" : found->second;
}

std::vector<std::string> ExclusionProposals::Remarks(const PgTable& table) const {
  std::vector<std::string> remarks;
  if (!IsKept(table.oid)) {
    return remarks;
  }
  if (const auto kept = kept_.find(table.oid); kept != kept_.end()) {
    remarks.push_back(absl::StrCat(
        "is not proposed as excluded, although ", std::string(kept->second.reason), ": rows of ",
        map_.catalog().Find(kept->second.child)->DisplayName(),
        " refer to it and could not come back without it; exclude both, or clear it after a "
        "restore"));
  }
  for (const PgForeignKey& key : map_.catalog().foreign_keys) {
    if (key.child == table.oid && relations_.at(key.parent_table) == Relation::kExcluded) {
      remarks.push_back(absl::StrCat(
          "rows that refer to rows of ", map_.catalog().Find(key.parent_table)->DisplayName(),
          " (foreign key ", key.name,
          ") can only be restored while those are there, since that table is excluded"));
    }
  }
  return remarks;
}

}  // namespace reinstate

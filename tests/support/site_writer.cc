#include "tests/support/site_writer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

// What a statement with RETURNING gave, as changes of a table.
void Note(SiteTable table, const std::vector<PlainRow>& rows, std::vector<SiteRowChange>* changes) {
  for (const PlainRow& row : rows) {
    std::string line = CopyLine(row);
    std::string key = KeyOfLine(table, line);
    changes->push_back({.table = table, .key = std::move(key), .line = std::move(line)});
  }
}

// "RETURNING a, b": all columns that a line has.
std::string Returning(SiteTable table) {
  return absl::StrCat(" RETURNING ", Absl(InfoOf(table).columns));
}

// A user of the site $1, and an issue of it.
constexpr char kAnyUser[] = "(SELECT id FROM users WHERE site_id = $1::bigint ORDER BY id LIMIT 1)";
constexpr char kAnyIssue[] =
    "(SELECT id FROM issues WHERE site_id = $1::bigint ORDER BY id OFFSET mod($2::bigint, "
    "(SELECT count(*) FROM issues WHERE site_id = $1::bigint)) LIMIT 1)";

}  // namespace

SiteWriter::SiteWriter(std::string conninfo, std::vector<int64_t> sites, uint64_t seed,
                       ExpectedSite* expected, WriterPace pace)
    : conninfo_(std::move(conninfo)),
      sites_(std::move(sites)),
      expected_(expected),
      pace_(std::move(pace)),
      random_(seed),
      text_(&random_),
      thread_([this] { status_ = Run(); }) {}

SiteWriter::~SiteWriter() { (void)Stop(); }

absl::Status SiteWriter::Stop() {
  stop_ = true;
  if (thread_.joinable()) {
    thread_.join();
  }
  return status_;
}

absl::Status SiteWriter::Run() {
  ASSIGN_OR_RETURN(const std::unique_ptr<PlainDatabase> database,
                   PlainDatabase::Connect(conninfo_));
  for (absl::Time due = pace_.first; !stop_; due += pace_.every) {
    absl::SleepFor(due - absl::Now());
    RETURN_IF_ERROR(WriteUntilCommitted(database.get()));
    if (pace_.on_commit) {
      pace_.on_commit(due, absl::Now() - due);
    }
  }
  return absl::OkStatus();
}

absl::Status SiteWriter::WriteUntilCommitted(PlainDatabase* database) {
  for (;;) {
    absl::Status status = WriteOnce(database, sites_[random_.Below(sites_.size())]);
    const std::string& state = database->last_sqlstate();
    if (status.ok() || (state != "40001" && state != "40P01")) {
      return status;
    }
    RETURN_IF_ERROR(database->Run("ROLLBACK"));
  }
}

absl::Status SiteWriter::WriteOnce(PlainDatabase* database, int64_t site) {
  std::vector<SiteRowChange> changes;
  RETURN_IF_ERROR(database->Run("BEGIN"));
  RETURN_IF_ERROR(Change(database, site, &changes));
  expected_->Announce(site, changes);
  // If the answer is lost, it stays announced: either is right.
  RETURN_IF_ERROR(database->Run("COMMIT"));
  expected_->Settle(site, /*committed=*/true);
  ++commits_;
  return absl::OkStatus();
}

absl::Status SiteWriter::Change(PlainDatabase* database, int64_t site,
                                std::vector<SiteRowChange>* changes) {
  switch (random_.Below(4)) {
    case 0:
      return OpenIssue(database, site, changes);
    case 1:
      return EditIssue(database, site, changes);
    case 2:
      return LogWork(database, site, changes);
    default:
      return DeleteComment(database, site, changes);
  }
}

absl::Status SiteWriter::OpenIssue(PlainDatabase* database, int64_t site,
                                   std::vector<SiteRowChange>* changes) {
  const std::string id = absl::StrCat(site);
  ASSIGN_OR_RETURN(
      const std::vector<PlainRow> issue,
      database->Query(
          absl::StrCat(
              "INSERT INTO issues (site_id, project_id, number, title, body, status, labels, "
              "estimate, custom, reporter_id, created_at, updated_at) SELECT $1::bigint, p.id, "
              "(SELECT "
              "coalesce(max(number), 0) + 1 FROM issues WHERE project_id = p.id), $2::text, "
              "$3::text, 'open', "
              "'{new,\"by a writer\"}', 2.5, '{\"via\": \"writer\"}', ",
              kAnyUser,
              ", clock_timestamp(), clock_timestamp() FROM projects AS p WHERE "
              "p.site_id = $1::bigint ORDER BY p.id LIMIT 1",
              Returning(SiteTable::kIssues)),
          {id, Text(5), Text(30) + "\n\t\\ new"}));
  Note(SiteTable::kIssues, issue, changes);
  for (int i = 0; i < 2; ++i) {
    ASSIGN_OR_RETURN(
        const std::vector<PlainRow> comment,
        database->Query(absl::StrCat("INSERT INTO comments (issue_id, author_id, body, created_at)"
                                     " SELECT $2::bigint, ",
                                     kAnyUser, ", $3::text, clock_timestamp()",
                                     Returning(SiteTable::kComments)),
                        {id, issue.at(0).at(0), Text(20)}));
    Note(SiteTable::kComments, comment, changes);
  }
  return absl::OkStatus();
}

absl::Status SiteWriter::EditIssue(PlainDatabase* database, int64_t site,
                                   std::vector<SiteRowChange>* changes) {
  // The trigger says when: what is returned has it.
  ASSIGN_OR_RETURN(
      const std::vector<PlainRow> issue,
      database->Query(absl::StrCat("UPDATE issues SET title = $3, status = 'closed', due = "
                                   "'2024-02-29' WHERE id = ",
                                   kAnyIssue, Returning(SiteTable::kIssues)),
                      {absl::StrCat(site), absl::StrCat(random_.Below(1 << 30)), Text(6)}));
  Note(SiteTable::kIssues, issue, changes);
  return absl::OkStatus();
}

absl::Status SiteWriter::LogWork(PlainDatabase* database, int64_t site,
                                 std::vector<SiteRowChange>* changes) {
  const std::string id = absl::StrCat(site);
  const std::string any = absl::StrCat(random_.Below(1 << 30));
  ASSIGN_OR_RETURN(
      const std::vector<PlainRow> worklog,
      database->Query(
          absl::StrCat("INSERT INTO worklogs (site_id, issue_id, user_id, minutes, "
                       "cost, note, started_at) SELECT $1::bigint, ",
                       kAnyIssue, ", ", kAnyUser, ", 15, 3.50, $3::text, clock_timestamp()",
                       Returning(SiteTable::kWorklogs)),
          {id, any, Text(4)}));
  Note(SiteTable::kWorklogs, worklog, changes);
  ASSIGN_OR_RETURN(
      const std::vector<PlainRow> attachment,
      database->Query(
          absl::StrCat("INSERT INTO attachments (id, site_id, issue_id, file_name, "
                       "content, created_at) SELECT gen_random_uuid(), $1::bigint, ",
                       kAnyIssue, ", $3::text, decode(md5($3::text), 'hex'), clock_timestamp()",
                       Returning(SiteTable::kAttachments)),
          {id, any, Text(2)}));
  Note(SiteTable::kAttachments, attachment, changes);
  return absl::OkStatus();
}

absl::Status SiteWriter::DeleteComment(PlainDatabase* database, int64_t site,
                                       std::vector<SiteRowChange>* changes) {
  ASSIGN_OR_RETURN(
      const std::vector<PlainRow> gone,
      database->Query(absl::StrCat("DELETE FROM comments WHERE id IN (SELECT c.id FROM comments c "
                                   "WHERE c.issue_id = ",
                                   kAnyIssue, " ORDER BY id LIMIT 1) RETURNING id"),
                      {absl::StrCat(site), absl::StrCat(random_.Below(1 << 30))}));
  for (const PlainRow& row : gone) {
    changes->push_back({.table = SiteTable::kComments, .key = *row.at(0), .line = std::nullopt});
  }
  return absl::OkStatus();
}

std::string SiteWriter::Text(int words) {
  std::string text;
  text_.AppendText(words, &random_, &text);
  return text;
}

}  // namespace reinstate

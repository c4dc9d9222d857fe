#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/command_tree.h"
#include "client/cli/confirmation.h"
#include "client/cli/humanize.h"
#include "client/cli/job_views.h"
#include "client/cli/words.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

struct SnapshotOptions {
  std::string snapshot;
  std::string store;
  std::string at;
  std::string reason;
  std::string confirm;
  std::string from;
  std::string until;
  int64_t limit = 0;
  bool hidden = false;
  bool wait = false;
  bool accept_clock_jump = false;
};

std::string MarksOf(const v1::Snapshot& snapshot) {
  std::vector<std::string> marks;
  if (snapshot.state() == v1::SNAPSHOT_STATE_HIDDEN) {
    marks.emplace_back("hidden");
  }
  if (snapshot.held()) {
    marks.emplace_back("held");
  }
  if (snapshot.collapse().marked()) {
    marks.emplace_back(snapshot.collapse().lifted() ? "collapse lifted" : "COLLAPSE");
  }
  return absl::StrJoin(marks, ", ");
}

// Empty if it is complete.
std::string IncompleteText(const v1::Snapshot& snapshot) {
  std::vector<std::string> unresolved;
  for (const v1::SnapshotTable& table : snapshot.tables()) {
    if (!table.owned()) {
      unresolved.push_back(table.table());
    }
  }
  return unresolved.empty()
             ? ""
             : absl::StrCat("nobody has said whose the rows of ", absl::StrJoin(unresolved, ", "),
                            " are; restores that would touch them are refused (see `reinstate "
                            "store discover`)");
}

std::string CollapseText(const v1::Collapse& collapse) {
  if (collapse.vanished_tenants() == 0 && collapse.shrunken_tenants() == 0) {
    return "";
  }
  std::string text =
      absl::StrCat(HumanCount(collapse.vanished_tenants()), " tenants gone, ",
                   HumanCount(collapse.shrunken_tenants()), " much smaller than before");
  if (collapse.marked()) {
    absl::StrAppend(&text, collapse.lifted() ? " (a person said that this was meant)"
                                             : ": a collapse; earlier snapshots do not expire");
  }
  return text;
}

Fields<v1::Snapshot> ListFields(absl::Time now) {
  return {
      {"SNAPSHOT", [](const v1::Snapshot& s) { return TextValue(s.id()); }},
      {"STORE", [](const v1::Snapshot& s) { return TextValue(s.store()); }},
      {"LINEAGE", [](const v1::Snapshot& s) { return TextValue(s.lineage_name()); }},
      {"INSTANT",
       [now](const v1::Snapshot& s) { return TimeValue(s.has_instant(), s.instant(), now); }},
      {"TENANTS", [](const v1::Snapshot& s) { return CountValue(s.tenants()); }, Align::kRight},
      {"ROWS", [](const v1::Snapshot& s) { return CountValue(s.counts().rows()); }, Align::kRight},
      {"BYTES", [](const v1::Snapshot& s) { return BytesValue(s.counts().bytes()); },
       Align::kRight},
      {"ADDED", [](const v1::Snapshot& s) { return BytesValue(s.added_bytes()); }, Align::kRight},
      {"MARKS", [](const v1::Snapshot& s) { return TextValue(MarksOf(s), Style::kWarning); }},
  };
}

Fields<v1::Snapshot> DetailFields(absl::Time now) {
  return {
      {"snapshot", [](const v1::Snapshot& s) { return TextValue(s.id(), Style::kBold); }},
      {"store", [](const v1::Snapshot& s) { return TextValue(s.store()); }},
      {"lineage",
       [](const v1::Snapshot& s) {
         return TextValue(s.lineage_name().empty()
                              ? "the store's own"
                              : absl::StrCat("imported dumps: ", s.lineage_name()));
       }},
      {"state", [](const v1::Snapshot& s) { return TextValue(WordFor(s.state())); }},
      {"instant",
       [now](const v1::Snapshot& s) { return TimeValue(s.has_instant(), s.instant(), now); }},
      {"position", [](const v1::Snapshot& s) { return TextValue(s.position()); }},
      {"tenants", [](const v1::Snapshot& s) { return CountValue(s.tenants()); }},
      {"rows", [](const v1::Snapshot& s) { return CountValue(s.counts().rows()); }},
      {"rows of nobody",
       [](const v1::Snapshot& s) {
         return s.ownerless_rows() == 0 ? Value{"", "0"} : CountValue(s.ownerless_rows());
       }},
      {"bytes", [](const v1::Snapshot& s) { return BytesValue(s.counts().bytes()); }},
      {"added on disk", [](const v1::Snapshot& s) { return BytesValue(s.added_bytes()); }},
      {"compared",
       [](const v1::Snapshot& s) {
         return TextValue(CollapseText(s.collapse()), Style::kWarning);
       }},
      {"incomplete",
       [](const v1::Snapshot& s) { return TextValue(IncompleteText(s), Style::kWarning); }},
      {"held because",
       [](const v1::Snapshot& s) { return TextValue(s.held() ? s.hold_reason() : ""); }},
      {"in use by",
       [](const v1::Snapshot& s) { return TextValue(absl::StrJoin(s.pinned_by(), ", ")); }},
      {"hidden since",
       [now](const v1::Snapshot& s) { return TimeValue(s.has_hide_time(), s.hide_time(), now); }},
      {"removed after",
       [now](const v1::Snapshot& s) {
         return TimeValue(s.has_grace_end_time(), s.grace_end_time(), now);
       }},
      {"tables",
       [](const v1::Snapshot& s) {
         return TextValue(absl::StrJoin(s.tables(), ", ", [](std::string* out, const auto& table) {
           absl::StrAppend(out, table.table(), table.owned() ? "" : " (unresolved)");
         }));
       }},
      {"root digest", [](const v1::Snapshot& s) { return TextValue(s.root_digest()); }},
      {"taken by", [](const v1::Snapshot& s) { return TextValue(s.job()); }},
  };
}

absl::Status ShowSnapshot(Session& session, const absl::StatusOr<v1::Snapshot>& snapshot) {
  RETURN_IF_ERROR(snapshot.status());
  return session.output().One(*snapshot, DetailFields(session.now()), ListFields(session.now()));
}

absl::Status Take(const SnapshotOptions& options, Session& session) {
  v1::TakeSnapshotRequest request;
  ASSIGN_OR_RETURN(*request.mutable_store(), session.StoreOrOnlyOne(options.store));
  request.set_accept_clock_jump(options.accept_clock_jump);
  request.set_reason(options.reason);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(v1::Job job, client->TakeSnapshot(request));
  return ShowBegunJob(session, std::move(job), options.wait,
                      absl::StrCat("Snapshot of ", request.store()));
}

// Puts the instant that `text` names into `field`, if there is a text.
absl::Status SetTime(const std::string& flag, const std::string& text,
                     google::protobuf::Timestamp* (v1::ListSnapshotsRequest::*field)(),
                     v1::ListSnapshotsRequest* request) {
  if (text.empty()) {
    return absl::OkStatus();
  }
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
    return MakeError(
        Reason::kInvalidArgument,
        absl::StrCat(flag, " ", text, " is not a time with zone, e.g. 2026-04-05T07:38:00Z."));
  }
  (request->*field)()->set_seconds(absl::ToUnixSeconds(time));
  return absl::OkStatus();
}

absl::Status List(const SnapshotOptions& options, Session& session) {
  v1::ListSnapshotsRequest request;
  request.set_store(options.store);
  request.set_show_hidden(options.hidden);
  RETURN_IF_ERROR(
      SetTime("--from", options.from, &v1::ListSnapshotsRequest::mutable_from, &request));
  RETURN_IF_ERROR(
      SetTime("--until", options.until, &v1::ListSnapshotsRequest::mutable_until, &request));
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const std::vector<v1::Snapshot> snapshots,
                   client->ListSnapshots(request, options.limit));
  return session.output().List(snapshots, ListFields(session.now()),
                               "There are no snapshots. To take one: reinstate snapshot take");
}

absl::Status Show(const SnapshotOptions& options, Session& session) {
  v1::GetSnapshotRequest request;
  request.set_snapshot(options.snapshot);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  return ShowSnapshot(session, client->GetSnapshot(request));
}

absl::Status Resolve(const SnapshotOptions& options, Session& session) {
  v1::ResolvePointRequest request;
  ASSIGN_OR_RETURN(*request.mutable_store(), session.StoreOrOnlyOne(options.store));
  request.set_at(options.at);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const v1::Point point, client->ResolvePoint(request));
  const absl::Time now = session.now();
  return session.output().One(
      point,
      Fields<v1::Point>{
          {"asked for", [](const v1::Point& p) { return TextValue(p.requested()); }},
          {"that is",
           [now](const v1::Point& p) {
             return TimeValue(p.has_requested_time(), p.requested_time(), now);
           }},
          {"snapshot", [](const v1::Point& p) { return TextValue(p.snapshot(), Style::kBold); }},
          {"instant",
           [now](const v1::Point& p) { return TimeValue(p.has_instant(), p.instant(), now); }},
          {"gap", [](const v1::Point& p) { return DurationValue(p.has_gap(), p.gap()); }},
      });
}

absl::Status Verify(const SnapshotOptions& options, Session& session) {
  v1::VerifySnapshotRequest request;
  request.set_snapshot(options.snapshot);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(v1::Job job, client->VerifySnapshot(request));
  return ShowBegunJob(session, std::move(job), options.wait,
                      absl::StrCat("Verifying ", options.snapshot));
}

absl::Status Retain(const SnapshotOptions& options, Session& session) {
  v1::ApplyRetentionRequest request;
  ASSIGN_OR_RETURN(*request.mutable_store(), session.StoreOrOnlyOne(options.store));
  request.set_reason(options.reason);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(v1::Job job, client->ApplyRetention(request));
  return ShowBegunJob(session, std::move(job), options.wait,
                      absl::StrCat("Retention of ", request.store()));
}

// A call about one snapshot with a reason, which answers with the snapshot.
template <typename Request>
Action OnSnapshot(const std::shared_ptr<SnapshotOptions>& options,
                  absl::StatusOr<v1::Snapshot> (ReinstateClient::*call)(Request)) {
  return [options, call](Session& session) -> absl::Status {
    Request request;
    request.set_snapshot(options->snapshot);
    request.set_reason(options->reason);
    ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
    return ShowSnapshot(session, (client->*call)(std::move(request)));
  };
}

absl::Status Delete(const SnapshotOptions& options, Session& session) {
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  Confirmation confirmation{.facts = {},
                            .name = "the snapshot's id",
                            .expected = options.snapshot,
                            .given = options.confirm};
  if (options.confirm.empty()) {
    v1::GetSnapshotRequest get;
    get.set_snapshot(options.snapshot);
    ASSIGN_OR_RETURN(const v1::Snapshot snapshot, client->GetSnapshot(get));
    confirmation.facts = {absl::StrCat("The snapshot ", snapshot.id(), " of the store ",
                                       snapshot.store(), " is to be deleted: ",
                                       HumanTimeWithAge(ToTime(snapshot.instant()), session.now()),
                                       "; ", HumanNumber(snapshot.tenants(), "tenant"), ", ",
                                       HumanCount(snapshot.counts().rows()), " rows."),
                          "It is hidden at once and removed for ever when its grace is over."};
  }
  RETURN_IF_ERROR(Confirm(confirmation, session.console()));
  v1::DeleteSnapshotRequest request;
  request.set_snapshot(options.snapshot);
  request.set_confirm(options.snapshot);
  request.set_reason(options.reason);
  RETURN_IF_ERROR(ShowSnapshot(session, client->DeleteSnapshot(request)));
  session.Hint(absl::StrCat("To bring it back: reinstate snapshot undelete ", options.snapshot));
  return absl::OkStatus();
}

using Options = std::shared_ptr<SnapshotOptions>;

void AddId(CLI::App* command, const Options& options) {
  command->add_option("SNAPSHOT", options->snapshot, "The snapshot's id, e.g. snap-1-12")
      ->required();
}

CLI::Option* AddReason(CLI::App* command, const Options& options) {
  return command->add_option("--reason", options->reason, "Why, for the audit");
}

void AddReadingCommands(CommandTree* tree, CLI::App* noun, const Options& options) {
  CLI::App* list =
      tree->AddCommand(noun,
                       {"list", "Lists snapshots, newest first",
                        "reinstate snapshot list\n"
                        "reinstate snapshot list --from 2026-04-05T00:00:00Z --limit 10"},
                       [options](Session& session) { return List(*options, session); });
  list->add_option("-s,--store", options->store, "Only those of this store")->type_name("NAME");
  list->add_flag("--hidden", options->hidden, "Also those that were deleted or have expired");
  list->add_option("--from", options->from, "Only those not before this time")->type_name("TIME");
  list->add_option("--until", options->until, "Only those before this time")->type_name("TIME");
  list->add_option("--limit", options->limit, "At most so many; 0 for all")->capture_default_str();

  AddId(tree->AddCommand(noun, {"show", "Shows one snapshot", "reinstate snapshot show snap-1-12"},
                         [options](Session& session) { return Show(*options, session); }),
        options);

  CLI::App* resolve = tree->AddCommand(
      noun,
      {"resolve", "Says which snapshot a point stands for", "reinstate snapshot resolve --at 2h"},
      [options](Session& session) { return Resolve(*options, session); });
  AddStoreOption(resolve, &options->store);
  resolve->add_option("--at", options->at, "As in: restore plan --at")
      ->type_name("POINT")
      ->required();
}

void AddWorkCommands(CommandTree* tree, CLI::App* noun, const Options& options) {
  CLI::App* take = tree->AddCommand(
      noun, {"take", "Takes a snapshot of a store", "reinstate snapshot take --wait"},
      [options](Session& session) { return Take(*options, session); });
  AddStoreOption(take, &options->store);
  AddWaitOption(take, &options->wait);
  AddReason(take, options);
  take->add_flag("--accept-clock-jump", options->accept_clock_jump,
                 "Also if the store's clock is behind the last snapshot or far from the daemon's");

  CLI::App* verify =
      tree->AddCommand(noun,
                       {"verify", "Reads everything of a snapshot and checks it",
                        "reinstate snapshot verify snap-1-12 --wait"},
                       [options](Session& session) { return Verify(*options, session); });
  AddId(verify, options);
  AddWaitOption(verify, &options->wait);

  CLI::App* retain = tree->AddCommand(
      noun,
      {"retain", "Applies the retention policy of a store now", "reinstate snapshot retain --wait"},
      [options](Session& session) { return Retain(*options, session); });
  AddStoreOption(retain, &options->store);
  AddWaitOption(retain, &options->wait);
  AddReason(retain, options);
}

void AddKeepingCommands(CommandTree* tree, CLI::App* noun, const Options& options) {
  CLI::App* hold =
      tree->AddCommand(noun,
                       {"hold", "Keeps a snapshot from expiring and from being deleted",
                        "reinstate snapshot hold snap-1-12 --reason 'evidence for INC-77'"},
                       OnSnapshot(options, &ReinstateClient::HoldSnapshot));
  AddId(hold, options);
  AddReason(hold, options)->required();

  CLI::App* release =
      tree->AddCommand(noun, {"release", "Ends a hold", "reinstate snapshot release snap-1-12"},
                       OnSnapshot(options, &ReinstateClient::ReleaseSnapshot));
  AddId(release, options);
  AddReason(release, options);

  CLI::App* remove = tree->AddCommand(
      noun,
      {"delete", "Hides a snapshot; it can be brought back until its grace is over",
       "reinstate snapshot delete snap-1-12"},
      [options](Session& session) { return Delete(*options, session); });
  AddId(remove, options);
  AddReason(remove, options);
  AddConfirmOption(remove, &options->confirm, "the snapshot's id");

  CLI::App* undelete = tree->AddCommand(noun,
                                        {"undelete", "Makes a hidden snapshot visible again",
                                         "reinstate snapshot undelete snap-1-12"},
                                        OnSnapshot(options, &ReinstateClient::UndeleteSnapshot));
  AddId(undelete, options);
  AddReason(undelete, options);

  CLI::App* lift = tree->AddCommand(
      noun,
      {"lift-collapse", "Says that a collapse was meant, so that earlier snapshots may expire",
       "reinstate snapshot lift-collapse snap-1-12 --reason 'customers moved to the EU store'"},
      OnSnapshot(options, &ReinstateClient::LiftCollapse));
  AddId(lift, options);
  AddReason(lift, options)->required();
}

}  // namespace

void AddSnapshotCommands(CommandTree* tree) {
  CLI::App* noun = tree->AddNoun("snapshot", "Snapshots: taking, finding, verifying, keeping them");
  const auto options = std::make_shared<SnapshotOptions>();
  AddWorkCommands(tree, noun, options);
  AddSnapshotImportCommand(tree, noun);
  AddReadingCommands(tree, noun, options);
  AddKeepingCommands(tree, noun, options);
}

}  // namespace reinstate

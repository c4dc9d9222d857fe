#include "client/cli/restore_views.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/cli/display_text.h"
#include "client/cli/hook_views.h"
#include "client/cli/humanize.h"
#include "client/cli/words.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

Style StyleOf(v1::RestoreState state) {
  switch (state) {
    case v1::RESTORE_STATE_SUCCEEDED:
      return Style::kGood;
    case v1::RESTORE_STATE_FAILED:
    case v1::RESTORE_STATE_IN_DOUBT:
      return Style::kBad;
    case v1::RESTORE_STATE_CANCELLED:
    case v1::RESTORE_STATE_UNDONE:
      return Style::kWarning;
    default:
      return Style::kPlain;
  }
}

// What a restore does, in a word or two: its mode, or that it is an undo.
std::string KindText(const v1::Restore& restore) {
  return restore.kind() == v1::RESTORE_KIND_UNDO
             ? "undo"
             : WordFor(restore.restore().mode() == v1::RESTORE_MODE_UNSPECIFIED
                           ? v1::RESTORE_MODE_CREATE_MISSING
                           : restore.restore().mode());
}

std::string StateText(const v1::Restore& restore) {
  std::string state = WordFor(restore.state());
  if (restore.state() == v1::RESTORE_STATE_RUNNING) {
    return absl::StrCat(state, ", ", WordFor(restore.phase()));
  }
  return state;
}

std::string FailureText(const v1::Restore& restore) {
  return restore.has_failure()
             ? absl::StrCat(restore.failure().message(), " [", restore.failure().reason(), "]")
             : "";
}

std::string TookText(const v1::Restore& restore) {
  return restore.has_start_time() && restore.has_end_time()
             ? HumanDuration(ToTime(restore.end_time()) - ToTime(restore.start_time()))
             : "";
}

Fields<v1::Restore> DetailFields(absl::Time now) {
  using Restore = v1::Restore;
  return {
      {"restore", [](const Restore& r) { return TextValue(r.id(), Style::kBold); }},
      {"tenant", [](const Restore& r) { return TextValue(NameOf(r.tenant())); }},
      {"store", [](const Restore& r) { return TextValue(r.tenant().store()); }},
      {"kind", [](const Restore& r) { return TextValue(KindText(r)); }},
      {"point",
       [now](const Restore& r) {
         return TextValue(r.has_point() ? PointSentence(r.point(), now) : "");
       }},
      {"undo of", [](const Restore& r) { return TextValue(r.undo_of()); }},
      {"state", [](const Restore& r) { return TextValue(StateText(r), StyleOf(r.state())); }},
      {"holding back",
       [](const Restore& r) { return TextValue(r.holding_back(), Style::kWarning); }},
      {"rows",
       [](const Restore& r) { return TextValue(r.has_totals() ? ActionsText(r.totals()) : ""); }},
      {"conflicts",
       [](const Restore& r) {
         return TextValue(absl::StrJoin(r.conflicts(), "; ", [](std::string* out, const auto& c) {
           absl::StrAppend(out, c.table(), " ", c.key().text(), ": ", SentenceFor(c));
         }));
       }},
      {"failure", [](const Restore& r) { return TextValue(FailureText(r), Style::kBad); }},
      {"hooks", [](const Restore& r) { return HooksValue(r); }},
      {"undone by", [](const Restore& r) { return TextValue(r.undone_by()); }},
      {"undo until",
       [now](const Restore& r) {
         return TimeValue(r.has_undo_expire_time(), r.undo_expire_time(), now);
       }},
      {"resolved by", [](const Restore& r) { return TextValue(r.resolved_by()); }},
      {"and why", [](const Restore& r) { return TextValue(r.resolved_reason()); }},
      {"reason", [](const Restore& r) { return TextValue(r.reason()); }},
      {"reference", [](const Restore& r) { return TextValue(r.reference()); }},
      {"actor", [](const Restore& r) { return TextValue(ActorText(r.actor())); }},
      {"created",
       [now](const Restore& r) { return TimeValue(r.has_create_time(), r.create_time(), now); }},
      {"ended", [now](const Restore& r) { return TimeValue(r.has_end_time(), r.end_time(), now); }},
      {"took", [](const Restore& r) { return TextValue(TookText(r)); }},
      {"attempts",
       [](const Restore& r) {
         return r.attempts() > 1 ? CountValue(r.attempts()) : Value{"", absl::StrCat(r.attempts())};
       }},
  };
}

}  // namespace

std::string ActorText(const v1::Actor& actor) {
  return actor.name().empty() || actor.verified() ? actor.name()
                                                  : absl::StrCat(actor.name(), " (unverified)");
}

std::string PointSentence(const v1::Point& point, absl::Time now) {
  const absl::Time instant = ToTime(point.instant());
  std::string text = absl::StrCat("As of ", point.snapshot(), ", ", HumanTimeWithAge(instant, now));
  if (!point.has_requested_time()) {
    return absl::StrCat(text, ".");
  }
  absl::StrAppend(&text, ": ");
  if (ToDuration(point.gap()) < absl::Milliseconds(1)) {
    absl::StrAppend(&text, "exactly");
  } else {
    absl::StrAppend(&text, HumanDuration(ToDuration(point.gap())), " before");
  }
  return absl::StrCat(text, " what was asked for (", HumanTime(ToTime(point.requested_time())),
                      ").");
}

std::string ActionsText(const v1::RowActions& actions) {
  std::string text = absl::StrCat(
      HumanCount(actions.inserted()), " inserted, ", HumanCount(actions.replaced()), " replaced, ",
      HumanCount(actions.deleted()), " deleted, ", HumanCount(actions.unchanged()), " unchanged, ",
      HumanCount(actions.kept()), " kept");
  if (actions.conflicts() > 0) {
    absl::StrAppend(&text, ", ", HumanCount(actions.conflicts()), " in conflict");
  }
  return text;
}

std::string ShellWord(const std::string& text) {
  constexpr char kSafe[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,";
  if (!text.empty() && text.find_first_not_of(kSafe) == std::string::npos) {
    return text;
  }
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

Fields<v1::Restore> RestoreListFields(absl::Time now) {
  using Restore = v1::Restore;
  return {
      {"RESTORE", [](const Restore& r) { return TextValue(r.id()); }},
      {"STORE", [](const Restore& r) { return TextValue(r.tenant().store()); }},
      {"TENANT", [](const Restore& r) { return TextValue(r.tenant().tenant()); }},
      {"LABEL", [](const Restore& r) { return TextValue(r.tenant().label()); }, Align::kLeft, true},
      {"KIND", [](const Restore& r) { return TextValue(KindText(r)); }},
      {"POINT", [](const Restore& r) { return TextValue(r.point().snapshot()); }},
      {"STATE", [](const Restore& r) { return TextValue(StateText(r), StyleOf(r.state())); }},
      {"INSERTED", [](const Restore& r) { return CountValue(r.totals().inserted()); },
       Align::kRight},
      {"REPLACED", [](const Restore& r) { return CountValue(r.totals().replaced()); },
       Align::kRight},
      {"DELETED", [](const Restore& r) { return CountValue(r.totals().deleted()); }, Align::kRight},
      {"CREATED",
       [now](const Restore& r) { return TimeValue(r.has_create_time(), r.create_time(), now); }},
      {"REFERENCE", [](const Restore& r) { return TextValue(r.reference()); }},
      {"FAILURE", [](const Restore& r) { return TextValue(r.failure().reason(), Style::kBad); }},
      {"HOOKS", [](const Restore& r) { return HooksValue(r); }},
  };
}

absl::Status PrintRestore(const v1::Restore& restore, const Session& session) {
  const Output& output = session.output();
  RETURN_IF_ERROR(
      output.One(restore, DetailFields(session.now()), RestoreListFields(session.now())));
  const std::string hooks = HookLines(restore);
  if (output.format() == OutputFormat::kTable && !hooks.empty()) {
    output.Text(absl::StrCat("\nHooks:\n", hooks));
  }
  return absl::OkStatus();
}

absl::Status ReportOutcome(const v1::Restore& restore, const Session& session) {
  if (restore.state() == v1::RESTORE_STATE_IN_DOUBT) {
    session.Hint(
        "Other restores of this tenant wait. Look whether its rows are there, then say so:");
    session.Hint(absl::StrCat("  reinstate restore resolve ", restore.id(),
                              " --outcome committed|not-committed --reason 'how you know'"));
  }
  return OutcomeOf(restore);
}

absl::Status WithCandidates(Session& session, const absl::Status& status, const std::string& store,
                            const std::string& tenant) {
  if (!HasReason(status, Reason::kTenantNotFound) &&
      !HasReason(status, Reason::kTenantNotAtPoint)) {
    return status;
  }
  std::string message(status.message());
  v1::FindTenantsRequest request;
  request.set_store(store);
  request.set_query(tenant);
  request.set_limit(3);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  const absl::StatusOr<v1::FindTenantsResponse> found = client->FindTenants(request);
  std::vector<std::string> names;
  if (found.ok()) {
    for (const v1::TenantMatch& match : found->matches()) {
      if (match.ref().tenant() != tenant) {
        names.push_back(NameOf(match.ref()));
      }
    }
  }
  if (!names.empty()) {
    absl::StrAppend(&message, " Did you mean ", absl::StrJoin(names, ", or "), "?");
  }
  absl::StrAppend(&message, " To find a tenant by name: reinstate tenant find ", ShellWord(tenant));
  return MakeErrorFromName(status.code(), ReasonOf(status), message);
}

}  // namespace reinstate

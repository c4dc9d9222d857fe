#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/command_tree.h"
#include "client/cli/humanize.h"
#include "client/cli/interrupt.h"
#include "client/cli/list_comparison.h"
#include "client/cli/progress.h"
#include "client/cli/restore_views.h"
#include "client/cli/words.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

struct TenantOptions {
  TenantListFile file;
  std::string store;
  std::string tenant;
  std::string query;
  std::string at;
  std::vector<std::string> tables;
  double fraction = 0;
  int64_t limit = 0;
  bool lost = false;
  bool versions = false;
  bool count_live = false;
};

using Summary = v1::TenantSummary;

// With what the tenants had at a point, and live, as far as it was asked for.
Fields<Summary> ListFields(bool at_point, bool live, bool lost) {
  Fields<Summary> fields = {
      {"TENANT", [](const Summary& t) { return TextValue(t.ref().tenant()); }},
      {"LABEL", [](const Summary& t) { return TextValue(t.ref().label()); }, Align::kLeft, true},
  };
  if (lost) {
    fields.push_back({"LOSS", [](const Summary& t) {
                        return TextValue(WordFor(t.loss()), t.loss() == v1::TENANT_LOSS_GONE
                                                                ? Style::kBad
                                                                : Style::kWarning);
                      }});
  }
  if (at_point) {
    fields.push_back({"ROWS AT POINT",
                      [](const Summary& t) { return CountValue(t.at_point().rows()); },
                      Align::kRight});
  }
  if (live) {
    fields.push_back(
        {"ROWS LIVE", [](const Summary& t) { return CountValue(t.live_rows()); }, Align::kRight});
  }
  if (at_point) {
    fields.push_back({"BYTES AT POINT",
                      [](const Summary& t) { return BytesValue(t.at_point().bytes()); },
                      Align::kRight});
  }
  return fields;
}

absl::Status List(const TenantOptions& options, Session& session) {
  if (options.lost && options.at.empty()) {
    return MakeError(Reason::kInvalidArgument,
                     "--lost needs --at: a point from before the loss, e.g. --at 2h.");
  }
  if (!options.lost && options.fraction != 0) {
    return MakeError(Reason::kInvalidArgument, "--fraction is for --lost only.");
  }
  v1::ListTenantsRequest request;
  ASSIGN_OR_RETURN(*request.mutable_store(), session.StoreOrOnlyOne(options.store));
  if (options.lost) {
    request.set_lost_since(options.at);
    request.set_lost_fraction(options.fraction);
  } else if (!options.at.empty()) {
    request.set_at(options.at);
  } else {
    request.set_live(true);
  }
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const ReinstateClient::TenantList list,
                   client->ListTenants(request, options.limit));
  RETURN_IF_ERROR(session.output().List(
      list.tenants,
      ListFields(!options.at.empty(), options.lost || options.at.empty(), options.lost),
      options.lost ? "No tenant that was there then is gone or much smaller now."
                   : "There are no tenants."));
  if (!options.at.empty()) {
    session.Hint(absl::StrCat(HumanNumber(static_cast<int64_t>(list.tenants.size()), "tenant"),
                              ". ", PointSentence(list.point, session.now())));
  }
  return absl::OkStatus();
}

Fields<v1::TenantMatch> FindFields(absl::Time now) {
  using Match = v1::TenantMatch;
  return {
      {"TENANT", [](const Match& m) { return TextValue(m.ref().tenant()); }},
      {"LABEL", [](const Match& m) { return TextValue(m.ref().label()); }, Align::kLeft, true},
      {"MATCH", [](const Match& m) { return TextValue(WordFor(m.kind())); }},
      {"MATCHED", [](const Match& m) { return TextValue(m.matched_text()); }, Align::kLeft, true},
      {"STORE", [](const Match& m) { return TextValue(m.ref().store()); }},
      {"LAST SEEN",
       [](const Match& m) {
         return TextValue(m.last_seen(), m.in_latest() ? Style::kPlain : Style::kWarning);
       }},
      {"INSTANT",
       [now](const Match& m) {
         return TimeValue(m.has_last_seen_instant(), m.last_seen_instant(), now);
       }},
      {"ROWS LIVE",
       [](const Match& m) { return m.has_live() ? CountValue(m.live().rows()) : TextValue(""); },
       Align::kRight},
  };
}

absl::Status Find(const TenantOptions& options, Session& session) {
  v1::FindTenantsRequest request;
  request.set_store(options.store);
  request.set_query(options.query);
  request.set_limit(static_cast<int32_t>(options.limit));
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const v1::FindTenantsResponse found, client->FindTenants(request));
  const std::vector<v1::TenantMatch> matches(found.matches().begin(), found.matches().end());
  RETURN_IF_ERROR(session.output().List(matches, FindFields(session.now()), ""));
  if (found.truncated()) {
    session.Hint("There are more; give --limit, or more of the name.");
  }
  if (matches.empty()) {
    return MakeError(Reason::kTenantNotFound,
                     absl::StrCat("No snapshot has a tenant with an id or label like '",
                                  options.query, "'. Try a part of the name."));
  }
  return absl::OkStatus();
}

std::string LiveText(const v1::Tenant& tenant) {
  return tenant.has_live() ? absl::StrCat(HumanCount(tenant.live().rows()), " rows, ",
                                          HumanBytes(tenant.live().bytes()))
                           : "the store does not answer";
}

Fields<v1::Tenant> DetailFields(absl::Time now) {
  return {
      {"tenant", [](const v1::Tenant& t) { return TextValue(t.ref().tenant(), Style::kBold); }},
      {"labels", [](const v1::Tenant& t) { return TextValue(absl::StrJoin(t.labels(), " | ")); }},
      {"store", [](const v1::Tenant& t) { return TextValue(t.ref().store()); }},
      {"point", [now](const v1::Tenant& t) { return TextValue(PointSentence(t.point(), now)); }},
      {"at the point",
       [](const v1::Tenant& t) {
         return t.exists_at_point()
                    ? TextValue(absl::StrCat(HumanCount(t.at_point().rows()), " rows, ",
                                             HumanBytes(t.at_point().bytes())))
                    : TextValue("not there", Style::kWarning);
       }},
      {"live, about", [](const v1::Tenant& t) { return TextValue(LiveText(t)); }},
      {"had more before",
       [now](const v1::Tenant& t) {
         const v1::TenantVersion& before = t.larger_before();
         return TextValue(
             t.has_larger_before()
                 ? absl::StrCat(HumanCount(before.counts().rows()), " rows in ", before.snapshot(),
                                " (", HumanTimeWithAge(ToTime(before.instant()), now), ")")
                 : "",
             Style::kWarning);
       }},
      {"in doubt",
       [](const v1::Tenant& t) { return TextValue(t.in_doubt_restore(), Style::kBad); }},
  };
}

Fields<v1::TenantTable> TableFields(bool live) {
  using Table = v1::TenantTable;
  Fields<Table> fields = {
      {"TABLE", [](const Table& t) { return TextValue(t.table()); }},
      {"ROWS AT POINT", [](const Table& t) { return CountValue(t.at_point().rows()); },
       Align::kRight},
      {"BYTES AT POINT", [](const Table& t) { return BytesValue(t.at_point().bytes()); },
       Align::kRight},
  };
  if (live) {
    fields.push_back(
        {"ROWS LIVE", [](const Table& t) { return CountValue(t.live().rows()); }, Align::kRight});
  }
  fields.push_back({"NOTE", [](const Table& t) {
                      return TextValue(t.covered() ? "" : "not in the snapshot", Style::kWarning);
                    }});
  return fields;
}

Fields<v1::TenantVersion> VersionFields(absl::Time now) {
  using Version = v1::TenantVersion;
  return {
      {"CHANGED IN", [](const Version& v) { return TextValue(v.snapshot()); }},
      {"INSTANT", [now](const Version& v) { return TimeValue(v.has_instant(), v.instant(), now); }},
      {"ROWS",
       [](const Version& v) {
         return v.exists() ? CountValue(v.counts().rows()) : TextValue("gone", Style::kBad);
       },
       Align::kRight},
      {"LABEL", [](const Version& v) { return TextValue(v.label()); }},
  };
}

absl::Status Show(const TenantOptions& options, Session& session) {
  v1::GetTenantRequest request;
  ASSIGN_OR_RETURN(*request.mutable_store(), session.StoreOrOnlyOne(options.store));
  request.set_tenant(options.tenant);
  request.set_at(options.at);
  request.set_count_live(options.count_live);
  request.set_with_versions(options.versions);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  const absl::StatusOr<v1::Tenant> tenant = client->GetTenant(request);
  if (!tenant.ok()) {
    return WithCandidates(session, tenant.status(), request.store(), options.tenant);
  }
  const std::vector<v1::TenantTable> tables(tenant->tables().begin(), tenant->tables().end());
  if (session.output().format() == OutputFormat::kCsv) {
    return session.output().Part(*tenant, tables, TableFields(options.count_live));
  }
  RETURN_IF_ERROR(session.output().One(*tenant, DetailFields(session.now())));
  if (session.for_people() && !tables.empty()) {
    session.output().Text("\n");
    session.output().Text(session.output().Table(tables, TableFields(options.count_live)));
  }
  if (session.for_people() && tenant->versions_size() > 0) {
    const std::vector<v1::TenantVersion> versions(tenant->versions().begin(),
                                                  tenant->versions().end());
    session.output().Text("\n");
    session.output().Text(session.output().Table(versions, VersionFields(session.now())));
  }
  return absl::OkStatus();
}

Fields<v1::TableComparison> ComparisonFields() {
  using Table = v1::TableComparison;
  const auto count = [](int64_t (Table::*get)() const, Style style) {
    return [get, style](const Table& t) {
      return CountValue((t.*get)(), (t.*get)() == 0 ? Style::kFaint : style);
    };
  };
  return {
      {"TABLE", [](const Table& t) { return TextValue(t.table()); }},
      {"EQUAL", count(&Table::equal, Style::kPlain), Align::kRight},
      {"DIFFERS", count(&Table::differs, Style::kWarning), Align::kRight},
      {"ONLY IN HISTORY", count(&Table::only_in_history, Style::kBad), Align::kRight},
      {"ONLY LIVE", count(&Table::only_live, Style::kWarning), Align::kRight},
      {"NOTE",
       [](const Table& t) {
         return TextValue(t.covered() ? "" : "not in the snapshot", Style::kWarning);
       }},
  };
}

absl::StatusOr<v1::TenantComparison> CompareWithProgress(const v1::CompareTenantRequest& request,
                                                         Session& session) {
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ProgressReporter reporter(&session.console());
  const InterruptGuard guard([client] { client->InterruptWaits(); });
  return client->CompareTenant(request, [&](const v1::Progress& progress) {
    reporter.Show({.what = absl::StrCat("Comparing ", request.tenant()),
                   .state = progress.step(),
                   .progress = progress});
  });
}

absl::Status Compare(const TenantOptions& options, Session& session) {
  if (!options.file.path.empty()) {
    return CompareListWithData(
        options.file, {.store = options.store, .at = options.at, .lost_fraction = options.fraction},
        session);
  }
  if (options.tenant.empty()) {
    return MakeError(Reason::kInvalidArgument,
                     "Name the tenant by its id, or give a list of tenants with -f.");
  }
  v1::CompareTenantRequest request;
  ASSIGN_OR_RETURN(*request.mutable_store(), session.StoreOrOnlyOne(options.store));
  request.set_tenant(options.tenant);
  request.set_at(options.at);
  request.mutable_tables()->Assign(options.tables.begin(), options.tables.end());
  const absl::StatusOr<v1::TenantComparison> comparison = CompareWithProgress(request, session);
  if (!comparison.ok()) {
    return WithCandidates(session, comparison.status(), request.store(), options.tenant);
  }
  session.Hint(absl::StrCat("Tenant ", NameOf(comparison->ref()), " in ", request.store(), ". ",
                            PointSentence(comparison->point(), session.now())));
  const std::vector<v1::TableComparison> tables(comparison->tables().begin(),
                                                comparison->tables().end());
  RETURN_IF_ERROR(session.output().Part(*comparison, tables, ComparisonFields()));
  session.Hint(comparison->equal() ? "Nothing differs."
                                   : absl::StrCat("To see what a restore would do: reinstate "
                                                  "restore plan ",
                                                  ShellWord(request.tenant()), " --at ",
                                                  comparison->point().snapshot()));
  return absl::OkStatus();
}

void AddCompareCommand(CommandTree* tree, CLI::App* noun,
                       const std::shared_ptr<TenantOptions>& options) {
  CLI::App* compare = tree->AddCommand(
      noun,
      {"compare", "Compares a tenant, or a list of tenants, at a point with what is live",
       "reinstate tenant compare 1001 --at 2h\n"
       "reinstate tenant compare -f customers.csv --at 2h"},
      [options](Session& session) { return Compare(*options, session); });
  CLI::Option* tenant = compare->add_option("TENANT", options->tenant, "The tenant's id");
  CLI::Option* file = AddTenantListOptions(compare, &options->file)->excludes(tenant);
  AddStoreOption(compare, &options->store);
  compare->add_option("--at", options->at, "The point")->type_name("POINT")->required();
  compare->add_option("--table", options->tables, "One tenant: only this table; may be repeated")
      ->type_name("TABLE")
      ->expected(1)
      ->take_all()
      ->excludes(file);
  compare
      ->add_option("--fraction", options->fraction,
                   "A list: who has less than this part of the rows left is gone; default 0.5")
      ->type_name("PART")
      ->needs(file);
}

}  // namespace

void AddTenantCommands(CommandTree* tree) {
  CLI::App* noun = tree->AddNoun("tenant", "Tenants: who was there, who is, and what they had");
  const auto options = std::make_shared<TenantOptions>();
  const auto add_at = [&](CLI::App* command, const char* what) {
    return command->add_option("--at", options->at, what)->type_name("POINT");
  };

  CLI::App* list =
      tree->AddCommand(noun,
                       {"list", "Lists tenants: live, at a point, or those who lost data since",
                        "reinstate tenant list\n"
                        "reinstate tenant list --at 2026-04-05T07:30:00Z\n"
                        "reinstate tenant list --lost --at 2h"},
                       [options](Session& session) { return List(*options, session); });
  AddStoreOption(list, &options->store);
  add_at(list, "Those of this point; without it those live now");
  list->add_flag("--lost", options->lost,
                 "Only those of the point that are gone or much smaller live");
  list->add_option("--fraction", options->fraction,
                   "With --lost: less than this part of the rows is left; default 0.5")
      ->type_name("PART");
  list->add_option("--limit", options->limit, "At most so many; 0 for all")->capture_default_str();

  CLI::App* find = tree->AddCommand(
      noun,
      {"find", "Finds tenants by a name, a part of it, or an id, also those that are gone",
       "reinstate tenant find 'Acme Corp'"},
      [options](Session& session) { return Find(*options, session); });
  find->add_option("QUERY", options->query, "What people call the tenant")->required();
  find->add_option("-s,--store", options->store, "Only in this store")->type_name("NAME");
  find->add_option("--limit", options->limit, "At most so many; default 20");

  CLI::App* show =
      tree->AddCommand(noun,
                       {"show", "Shows what a tenant has at a point and live, table by table",
                        "reinstate tenant show 1001\n"
                        "reinstate tenant show 1001 --at 2h --live --versions"},
                       [options](Session& session) { return Show(*options, session); });
  show->add_option("TENANT", options->tenant, "The tenant's id")->required();
  AddStoreOption(show, &options->store);
  add_at(show, "The point; default latest");
  show->add_flag("--live", options->count_live, "Count the live rows table by table");
  show->add_flag("--versions", options->versions, "List the snapshots in which it changed");

  AddCompareCommand(tree, noun, options);
  AddTenantExportCommand(tree, noun);
}

}  // namespace reinstate

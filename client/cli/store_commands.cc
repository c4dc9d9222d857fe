#include <memory>
#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/command_tree.h"
#include "client/cli/confirmation.h"
#include "client/cli/output.h"
#include "client/cli/words.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

struct StoreOptions {
  std::string store;
  bool config = false;
  std::string confirm;
  std::string reason;
};

Style StyleOf(v1::StoreState state) {
  return state == v1::STORE_STATE_READY ? Style::kGood : Style::kBad;
}

Fields<v1::Store> ListFields(absl::Time now) {
  return {
      {"NAME", [](const v1::Store& s) { return TextValue(s.name()); }},
      {"ADAPTER", [](const v1::Store& s) { return TextValue(WordFor(s.adapter())); }},
      {"STATE",
       [](const v1::Store& s) { return TextValue(WordFor(s.state()), StyleOf(s.state())); }},
      {"SNAPSHOTS", [](const v1::Store& s) { return CountValue(s.snapshots()); }, Align::kRight},
      {"LAST GOOD", [](const v1::Store& s) { return TextValue(s.last_good_snapshot()); }},
      {"INSTANT",
       [now](const v1::Store& s) {
         return TimeValue(s.has_last_good_instant(), s.last_good_instant(), now);
       }},
      {"ADDRESS", [](const v1::Store& s) { return TextValue(s.address()); }, Align::kLeft, true},
  };
}

Fields<v1::Store> DetailFields(absl::Time now) {
  return {
      {"store", [](const v1::Store& s) { return TextValue(s.name(), Style::kBold); }},
      {"adapter", [](const v1::Store& s) { return TextValue(WordFor(s.adapter())); }},
      {"state",
       [](const v1::Store& s) { return TextValue(WordFor(s.state()), StyleOf(s.state())); }},
      {"what it means", [](const v1::Store& s) { return TextValue(s.state_message()); }},
      {"address", [](const v1::Store& s) { return TextValue(s.address()); }},
      {"identity", [](const v1::Store& s) { return TextValue(s.identity()); }},
      {"found identity",
       [](const v1::Store& s) {
         return TextValue(s.found_identity() == s.identity() ? "" : s.found_identity(),
                          Style::kBad);
       }},
      {"registered",
       [now](const v1::Store& s) {
         return TimeValue(s.has_register_time(), s.register_time(), now);
       }},
      {"last contact",
       [now](const v1::Store& s) {
         return TimeValue(s.has_last_contact_time(), s.last_contact_time(), now);
       }},
      {"snapshots", [](const v1::Store& s) { return CountValue(s.snapshots()); }},
      {"last good snapshot", [](const v1::Store& s) { return TextValue(s.last_good_snapshot()); }},
      {"its instant",
       [now](const v1::Store& s) {
         return TimeValue(s.has_last_good_instant(), s.last_good_instant(), now);
       }},
      {"snapshot every",
       [](const v1::Store& s) {
         return DurationValue(s.has_snapshot_interval(), s.snapshot_interval());
       }},
      {"rows per second",
       [](const v1::Store& s) {
         const int64_t rows = s.throttle().rows_per_second();
         return rows == 0 ? TextValue("") : CountValue(rows);
       }},
      {"bytes per second",
       [](const v1::Store& s) {
         const int64_t bytes = s.throttle().bytes_per_second();
         return bytes == 0 ? TextValue("") : BytesValue(bytes);
       }},
      {"restores at once",
       [](const v1::Store& s) {
         const int64_t restores = s.throttle().max_running();
         return restores == 0 ? TextValue("") : CountValue(restores);
       }},
      {"holding back",
       [](const v1::Store& s) { return TextValue(s.holding_back(), Style::kWarning); }},
  };
}

// Remarks are sentences, which people read better below the table than in it.
Fields<v1::TableInfo> TableFields(bool for_people) {
  Fields<v1::TableInfo> fields = {
      {"TABLE", [](const v1::TableInfo& t) { return TextValue(t.name()); }},
      {"RELATION",
       [](const v1::TableInfo& t) {
         return TextValue(WordFor(t.relation()), t.relation() == v1::TABLE_RELATION_UNRESOLVED
                                                     ? Style::kBad
                                                     : Style::kPlain);
       }},
      {"HOW", [](const v1::TableInfo& t) { return TextValue(t.how()); }, Align::kLeft, true},
      {"ESTIMATED ROWS",
       [](const v1::TableInfo& t) {
         return t.estimated_rows() >= 0 ? CountValue(t.estimated_rows()) : TextValue("");
       },
       Align::kRight},
  };
  if (!for_people) {
    fields.push_back({"REMARKS", [](const v1::TableInfo& t) {
                        return TextValue(absl::StrJoin(t.remarks(), "; "));
                      }});
  }
  return fields;
}

absl::Status List(Session& session) {
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const std::vector<v1::Store> stores, client->ListStores());
  return session.output().List(stores, ListFields(session.now()),
                               "The daemon has no store; register one in its configuration.");
}

absl::StatusOr<v1::Store> GetStore(Session& session, const std::string& given) {
  v1::GetStoreRequest request;
  ASSIGN_OR_RETURN(*request.mutable_store(), session.StoreOrOnlyOne(given));
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  return client->GetStore(request);
}

absl::Status Show(const StoreOptions& options, Session& session) {
  ASSIGN_OR_RETURN(const v1::Store store, GetStore(session, options.store));
  return session.output().One(store, DetailFields(session.now()), ListFields(session.now()));
}

void HintAtDiscovery(const v1::DiscoverStoreResponse& found, const std::string& store,
                     Session& session) {
  for (const v1::TableInfo& table : found.catalog().tables()) {
    for (const std::string& remark : table.remarks()) {
      session.Hint(absl::StrCat(table.name(), ": ", remark));
    }
  }
  const std::string& labels = found.catalog().label_source();
  session.Hint(absl::StrCat("Labels come from: ", labels.empty() ? "nowhere" : labels));
  if (!found.config().empty()) {
    session.Hint(absl::StrCat("`reinstate store discover ", store,
                              " --config` writes the proposals as configuration; read them before "
                              "you take them over."));
  }
}

absl::Status Discover(const StoreOptions& options, Session& session) {
  v1::DiscoverStoreRequest request;
  ASSIGN_OR_RETURN(*request.mutable_store(), session.StoreOrOnlyOne(options.store));
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const v1::DiscoverStoreResponse found, client->DiscoverStore(request));
  if (options.config) {
    *session.console().out << "# For the [[store]] \"" << request.store() << "\".\n"
                           << found.config();
    return absl::OkStatus();
  }
  const std::vector<v1::TableInfo> tables(found.catalog().tables().begin(),
                                          found.catalog().tables().end());
  RETURN_IF_ERROR(session.output().Part(found, tables, TableFields(session.for_people())));
  HintAtDiscovery(found, request.store(), session);
  return absl::OkStatus();
}

// Asks the store now: what GetStore shows was seen a while ago. That it is another one is no error.
absl::Status LookAtStore(const std::string& store, Session& session) {
  v1::DiscoverStoreRequest request;
  request.set_store(store);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  const absl::Status looked = client->DiscoverStore(request).status();
  return ReasonOf(looked) == "STORE_IDENTITY_CHANGED" ? absl::OkStatus() : looked;
}

absl::Status Rebind(const StoreOptions& options, Session& session) {
  RETURN_IF_ERROR(LookAtStore(options.store, session));
  ASSIGN_OR_RETURN(const v1::Store store, GetStore(session, options.store));
  if (store.state() != v1::STORE_STATE_IDENTITY_CHANGED) {
    session.Hint(absl::StrCat("The store ", store.name(),
                              " is the one that its name is bound to; there is nothing to do."));
    return session.output().One(store, DetailFields(session.now()), ListFields(session.now()));
  }
  constexpr const char* kWarning =
      "Its snapshots stay. A physical copy has the identity of its original: look at the address.";
  RETURN_IF_ERROR(Confirm(
      {.facts = {absl::StrCat("The store ", store.name(), " is to be bound to what answers at:"),
                 absl::StrCat("  address       ", store.address()),
                 absl::StrCat("  identity      ", store.found_identity()),
                 absl::StrCat("  it was        ", store.identity()), kWarning},
       .name = "the new identity",
       .expected = store.found_identity(),
       .given = options.confirm},
      session.console()));
  v1::RebindStoreRequest request;
  request.set_store(store.name());
  request.set_expected_identity(store.found_identity());
  request.set_reason(options.reason);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const v1::Store bound, client->RebindStore(request));
  return session.output().One(bound, DetailFields(session.now()), ListFields(session.now()));
}

}  // namespace

void AddStoreCommands(CommandTree* tree) {
  CLI::App* noun = tree->AddNoun("store", "The live stores that the daemon serves");
  const auto options = std::make_shared<StoreOptions>();

  tree->AddCommand(noun,
                   {"list", "Lists the stores and how they are",
                    "reinstate store list\n"
                    "reinstate store list -o json"},
                   List);

  CLI::App* show = tree->AddCommand(
      noun, {"show", "Shows one store: state, identity, address", "reinstate store show main"},
      [options](Session& session) { return Show(*options, session); });
  show->add_option("STORE", options->store, "The store; may be left out if there is only one");

  CLI::App* discover =
      tree->AddCommand(noun,
                       {"discover", "Reads the store's tables and how each relates to tenants",
                        "reinstate store discover main\n"
                        "reinstate store discover main --config"},
                       [options](Session& session) { return Discover(*options, session); });
  discover->add_option("STORE", options->store, "The store; may be left out if there is only one");

  discover->add_flag("--config", options->config,
                     "Write what is proposed as lines of the configuration instead");

  CLI::App* rebind = tree->AddCommand(
      noun,
      {"rebind", "Binds the name to another store, after a fail-over or a restored copy",
       "reinstate store rebind main --reason 'fail-over of 5 April, INC-77'"},
      [options](Session& session) { return Rebind(*options, session); });
  rebind->add_option("STORE", options->store, "The store")->required();
  rebind->add_option("--reason", options->reason, "Why, for the audit")->required();
  AddConfirmOption(rebind, &options->confirm, "the store's new identity");

  AddStoreThrottleCommand(tree, noun);
}

}  // namespace reinstate

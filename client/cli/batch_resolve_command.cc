#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/batch_commands.h"
#include "client/cli/humanize.h"
#include "client/cli/list_resolution.h"
#include "client/cli/restore_views.h"
#include "client/cli/tenant_list_file.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

struct BatchResolveOptions {
  TenantListFile file;
  std::string store;
  std::string at;
};

// OK if no line needs a person.
absl::Status ResolveOutcome(const ResolvedList& resolved) {
  const int64_t open = std::count_if(resolved.lines.begin(), resolved.lines.end(),
                                     [](const ResolvedLine& line) { return !IsResolved(line); });
  if (open == 0) {
    return absl::OkStatus();
  }
  return MakeErrorFromName(
      absl::StatusCode::kUnknown, kPartlyFailedReason,
      absl::StrCat(HumanCount(open), " of ",
                   HumanNumber(static_cast<int64_t>(resolved.lines.size()), "line"),
                   open == 1 ? " needs" : " need",
                   " a person: fill in the column id, then give the list to reinstate batch "
                   "create."));
}

absl::Status Resolve(const BatchResolveOptions& options, Session& session) {
  const Console& console = session.console();
  ASSIGN_OR_RETURN(const TenantList list, ReadTenantListFile(options.file, console));
  ResolveOptions resolve;
  ASSIGN_OR_RETURN(resolve.store, session.StoreOrOnlyOne(options.store));
  resolve.at = options.at;
  resolve.count_live = true;
  ASSIGN_OR_RETURN(const ResolvedList resolved, ResolveList(list, resolve, session));
  SayListNotices(list, resolved, console);
  RETURN_IF_ERROR(session.OutputOr(OutputFormat::kCsv)
                      .List(ResolutionsOf(resolved), ResolutionFields(resolved), ""));
  if (resolved.point.has_instant()) {
    console.Say(PointSentence(resolved.point, session.now()));
  }
  SayMatches(resolved, console);
  return ResolveOutcome(resolved);
}

}  // namespace

void AddBatchResolveCommand(CommandTree* tree, CLI::App* noun) {
  const auto options = std::make_shared<BatchResolveOptions>();
  CLI::App* resolve = tree->AddCommand(
      noun,
      {"resolve", "Finds the tenants that a list means, as CSV for a person to correct",
       "reinstate batch resolve -f customers.csv --at 2h > resolved.csv\n"
       "reinstate batch resolve -f - --column 'Customer name' --encoding windows-1252 --at 2h"},
      [options](Session& session) { return Resolve(*options, session); });
  AddTenantListOptions(resolve, &options->file)->required();
  AddStoreOption(resolve, &options->store);
  resolve->add_option("--at", options->at, "The point whose rows are counted")
      ->type_name("POINT")
      ->required();
  resolve
      ->add_option("--note-column", options->file.note_column,
                   "The column with a note for each line; default the one titled note")
      ->type_name("NAME");
}

}  // namespace reinstate

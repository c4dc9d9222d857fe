#include "client/cli/list_resolution.h"

#include <algorithm>
#include <map>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/display_text.h"
#include "client/cli/humanize.h"
#include "client/cli/words.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// Of one call: its limit of inputs, and a size that is well below that of a message.
constexpr int kMaxInputs = 50'000;
constexpr size_t kMaxInputBytes = 1'000 << 10;
constexpr size_t kBytesBesideText = 10;  // of an input on the wire

constexpr size_t kMaxFaultsTold = 20;

ResolvedLine FaultyLine(int64_t line, const std::string& input, std::string fault) {
  ResolvedLine faulty;
  faulty.resolution.set_line(line);
  faulty.resolution.set_input(input);
  faulty.resolution.set_match(v1::TENANT_RESOLUTION_KIND_NONE);
  faulty.fault = std::move(fault);
  return faulty;
}

const std::string& ShownInput(const ListedTenant& tenant) {
  return tenant.input.empty() ? tenant.text : tenant.input;
}

// Resolves tenants of one list, call by call.
class Resolver {
 public:
  Resolver(const ResolveOptions& options, ReinstateClient* client, ResolvedList* resolved)
      : options_(options), client_(client), resolved_(resolved) {
    request_.set_store(options.store);
    request_.set_at(options.at);
    request_.set_count_live(options.count_live);
    request_.set_lost_fraction(options.lost_fraction);
  }

  // `tenant` must outlive this.
  absl::Status Add(const ListedTenant& tenant) {
    const size_t bytes = tenant.text.size() + kBytesBesideText;
    if (request_.inputs_size() >= kMaxInputs ||
        (!asked_.empty() && bytes_ + bytes > kMaxInputBytes)) {
      RETURN_IF_ERROR(Call(/*last=*/false));
    }
    v1::TenantInput* input = request_.add_inputs();
    input->set_line(tenant.line);
    input->set_text(tenant.text);
    asked_.push_back(&tenant);
    bytes_ += bytes;
    return absl::OkStatus();
  }

  // After the last one.
  absl::Status Finish() {
    if (asked_.empty()) {
      return absl::OkStatus();  // Every line is about another store.
    }
    RETURN_IF_ERROR(Call(/*last=*/true));
    // The call knows only of its own inputs.
    std::erase_if(resolved_->lost, [this](const v1::TenantResolution& lost) {
      return named_.contains(lost.ref().tenant());
    });
    return absl::OkStatus();
  }

 private:
  absl::Status Call(bool last) {
    request_.set_with_lost(last && options_.with_lost);
    ASSIGN_OR_RETURN(ReinstateClient::Resolutions answer, client_->ResolveTenants(request_));
    size_t taken = 0;
    for (v1::TenantResolution& resolution : answer.resolutions) {
      if (resolution.match() == v1::TENANT_RESOLUTION_KIND_UNSPECIFIED) {
        resolved_->lost.push_back(std::move(resolution));
      } else if (taken < asked_.size() && asked_[taken]->line == resolution.line()) {
        Take(*asked_[taken++], std::move(resolution));
      } else {
        taken = asked_.size() + 1;
      }
    }
    if (taken != asked_.size()) {
      return MakeError(Reason::kInternal, "The daemon did not resolve each line once.");
    }
    if (resolved_->point.snapshot().empty()) {
      resolved_->point = answer.point;
      if (!answer.point.snapshot().empty()) {
        request_.set_at(answer.point.snapshot());
      }
    }
    request_.clear_inputs();
    asked_.clear();
    bytes_ = 0;
    return absl::OkStatus();
  }

  void Take(const ListedTenant& tenant, v1::TenantResolution resolution) {
    if (resolution.has_ref()) {
      named_.insert(resolution.ref().tenant());
    }
    resolution.set_input(ShownInput(tenant));
    resolved_->lines.push_back({.resolution = std::move(resolution),
                                .text = tenant.text,
                                .note = tenant.note,
                                .fault = ""});
  }

  const ResolveOptions& options_;
  ReinstateClient* const client_;
  ResolvedList* const resolved_;
  v1::ResolveTenantsRequest request_;
  std::vector<const ListedTenant*> asked_;  // by `request_`, in its order
  size_t bytes_ = 0;                        // of `request_`, about
  std::unordered_set<std::string> named_;   // ids
};

}  // namespace

absl::StatusOr<ResolvedList> ResolveList(const TenantList& list, const ResolveOptions& options,
                                         Session& session) {
  if (list.tenants.empty()) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat("No line of the list names a tenant; line ",
                                  list.faults.front().line, ": ", list.faults.front().what));
  }
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ResolvedList resolved;
  resolved.store = options.store;
  Resolver resolver(options, client, &resolved);
  for (const ListedTenant& tenant : list.tenants) {
    if (!options.any_store && !tenant.store.empty() && tenant.store != options.store) {
      resolved.lines.push_back(
          FaultyLine(tenant.line, ShownInput(tenant),
                     absl::StrCat("The list says that it is in the store ", Printable(tenant.store),
                                  ", and this is about ", Printable(options.store), ".")));
    } else {
      RETURN_IF_ERROR(resolver.Add(tenant));
    }
  }
  RETURN_IF_ERROR(resolver.Finish());
  for (const ListFault& fault : list.faults) {
    resolved.lines.push_back(FaultyLine(fault.line, fault.input, fault.what));
  }
  std::stable_sort(resolved.lines.begin(), resolved.lines.end(),
                   [](const ResolvedLine& a, const ResolvedLine& b) {
                     return a.resolution.line() < b.resolution.line();
                   });
  return resolved;
}

bool IsResolved(const ResolvedLine& line) {
  return line.resolution.match() == v1::TENANT_RESOLUTION_KIND_EXACT ||
         line.resolution.match() == v1::TENANT_RESOLUTION_KIND_NORMALISED;
}

std::string CandidatesText(const v1::TenantResolution& resolution) {
  std::string text;
  for (const v1::TenantCandidate& candidate : resolution.candidates()) {
    absl::StrAppend(&text, text.empty() ? "" : "; ", NameOf(candidate.ref()),
                    absl::StrFormat(" %.2f", candidate.score()));
  }
  return resolution.more_candidates() ? absl::StrCat(text, "; …") : text;
}

Fields<v1::TenantResolution> ResolutionFields(const ResolvedList& resolved) {
  using Resolution = v1::TenantResolution;
  const auto notes = std::make_shared<std::unordered_map<int64_t, std::string>>();
  for (const ResolvedLine& line : resolved.lines) {
    if (!line.note.empty()) {
      (*notes)[line.resolution.line()] = line.note;
    }
  }
  return {
      {"LINE", [](const Resolution& r) { return CountValue(r.line()); }, Align::kRight},
      {"INPUT", [](const Resolution& r) { return TextValue(r.input()); }, Align::kLeft, true},
      {"MATCH", [](const Resolution& r) { return TextValue(WordFor(r.match())); }},
      {"ID", [](const Resolution& r) { return TextValue(r.ref().tenant()); }},
      {"LABEL", [](const Resolution& r) { return TextValue(r.ref().label()); }, Align::kLeft, true},
      {"ROWS AT POINT",
       [](const Resolution& r) {
         return r.has_at_point() ? CountValue(r.at_point().rows()) : TextValue("");
       },
       Align::kRight},
      {"ROWS LIVE",
       [](const Resolution& r) {
         return r.has_live() ? CountValue(r.live().rows()) : TextValue("");
       },
       Align::kRight},
      {"CANDIDATES", [](const Resolution& r) { return TextValue(CandidatesText(r)); }, Align::kLeft,
       true},
      {"NOTE",
       [notes](const Resolution& r) {
         const auto note = notes->find(r.line());
         return TextValue(note == notes->end() ? "" : note->second);
       },
       Align::kLeft, true},
  };
}

std::vector<v1::TenantResolution> ResolutionsOf(const ResolvedList& resolved) {
  std::vector<v1::TenantResolution> resolutions;
  resolutions.reserve(resolved.lines.size());
  for (const ResolvedLine& line : resolved.lines) {
    resolutions.push_back(line.resolution);
  }
  return resolutions;
}

void SayListNotices(const TenantList& list, const ResolvedList& resolved, const Console& console) {
  for (const std::string& notice : list.notices) {
    console.Say(Printable(notice));
  }
  std::vector<int64_t> repeated;
  for (const ListRepeat& repeat : list.repeats) {
    repeated.push_back(repeat.line);
  }
  if (!repeated.empty()) {
    console.Say(absl::StrCat("An earlier line says the same as ", LineNumbers(repeated), "."));
  }
  size_t faults = 0;
  for (const ResolvedLine& line : resolved.lines) {
    if (!line.fault.empty() && ++faults <= kMaxFaultsTold) {
      console.Say(absl::StrCat("Line ", line.resolution.line(), ": ", Printable(line.fault)));
    }
  }
  if (faults > kMaxFaultsTold) {
    console.Say(absl::StrCat(
        "… and ", HumanNumber(static_cast<int64_t>(faults - kMaxFaultsTold), "more such line"),
        "."));
  }
}

void SayMatches(const ResolvedList& resolved, const Console& console) {
  std::map<v1::TenantResolutionKind, int64_t> by_kind;
  int64_t not_at_point = 0;
  bool not_sought = false;
  for (const ResolvedLine& line : resolved.lines) {
    ++by_kind[line.resolution.match()];
    not_at_point += IsResolved(line) && !line.resolution.has_at_point() ? 1 : 0;
    not_sought = not_sought || line.resolution.similar_not_sought();
  }
  std::string text =
      absl::StrCat(HumanNumber(static_cast<int64_t>(resolved.lines.size()), "line"), ": ");
  const char* separator = "";
  for (const auto& [kind, count] : by_kind) {
    absl::StrAppend(&text, std::exchange(separator, ", "), HumanCount(count), " ", WordFor(kind));
  }
  console.Say(absl::StrCat(text, "."));
  if (not_at_point > 0) {
    console.Say(absl::StrCat("Of these ", HumanCount(not_at_point), " had no row at the point."));
  }
  if (not_sought) {
    console.Say("Similar names were not sought, as too many lines are nobody's name.");
  }
}

}  // namespace reinstate

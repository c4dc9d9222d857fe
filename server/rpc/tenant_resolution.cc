#include "server/rpc/tenant_resolution.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/rpc/convert_common.h"
#include "server/rpc/opened_point.h"
#include "server/rpc/request_checks.h"
#include "server/snapshot/tenant_directory.h"
#include "server/snapshot/tenant_resolver.h"
#include "server/snapshot/tenant_roster.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr int kMaxInputs = 50'000;
constexpr size_t kMaxInputBytes = 1024;
constexpr size_t kMessageBytes = 256 << 10;  // a message ends when it has so many

using Entry = TenantRoster::Entry;

v1::TenantResolutionKind KindToWire(ResolutionKind kind) {
  switch (kind) {
    case ResolutionKind::kExact:
      return v1::TENANT_RESOLUTION_KIND_EXACT;
    case ResolutionKind::kNormalised:
      return v1::TENANT_RESOLUTION_KIND_NORMALISED;
    case ResolutionKind::kAmbiguous:
      return v1::TENANT_RESOLUTION_KIND_AMBIGUOUS;
    case ResolutionKind::kSimilar:
      return v1::TENANT_RESOLUTION_KIND_SIMILAR;
    case ResolutionKind::kNone:
      return v1::TENANT_RESOLUTION_KIND_NONE;
  }
  return v1::TENANT_RESOLUTION_KIND_UNSPECIFIED;
}

// The tenant and what it had at the point, into a resolution or a candidate.
template <typename Message>
void TenantToWire(const std::string& store, const Entry& entry, Message* wire) {
  wire->mutable_ref()->set_store(store);
  wire->mutable_ref()->set_tenant(entry.tenant.value());
  wire->mutable_ref()->set_label(entry.label);
  if (entry.at_point.has_value()) {
    wire->mutable_at_point()->set_rows(entry.at_point->rows);
    wire->mutable_at_point()->set_bytes(entry.at_point->bytes);
  }
}

class TenantResolution final : public StreamSource {
 public:
  TenantResolution(const ServiceParts& parts, const ServedStore& store,
                   const v1::ResolveTenantsRequest& request)
      : parts_(parts), store_(store), request_(request) {}

  // STORE_NOT_FOUND is out of the way; the other errors of the call that need no scan.
  absl::Status Check();

  absl::Status Start(std::function<void()> /*wake*/) override { return absl::OkStatus(); }
  absl::StatusOr<Produced> Next(google::protobuf::Message* message) override;

 private:
  absl::Status Resolve();
  void FindUnnamed();
  bool IsLostEntry(const Entry& entry) const;
  void ResolvedToWire(size_t input, v1::TenantResolution* wire) const;
  void EntryToWire(const Entry& entry, v1::TenantResolution* wire) const;

  const ServiceParts parts_;
  const ServedStore& store_;
  const v1::ResolveTenantsRequest request_;
  double lost_fraction_ = 0;
  OpenedPoint opened_;

  // After Resolve.
  std::vector<Entry> entries_;
  std::vector<ResolvedText> resolved_;  // by input
  std::vector<uint32_t> unnamed_;       // entries that were lost and that no input means
  bool begun_ = false;
  size_t next_ = 0;  // in resolved_, then in unnamed_
};

absl::Status TenantResolution::Check() {
  RETURN_IF_ERROR(CheckPresent("at", request_.at()));
  if (request_.inputs_size() == 0 || request_.inputs_size() > kMaxInputs) {
    return FieldError("inputs", absl::StrCat("has ", request_.inputs_size(), " entries; 1 to ",
                                             kMaxInputs, " are allowed in a call."));
  }
  for (int i = 0; i < request_.inputs_size(); ++i) {
    const v1::TenantInput& input = request_.inputs(i);
    const std::string field = absl::StrCat("inputs[", i, "]");
    RETURN_IF_ERROR(CheckPresent(field + ".text", input.text()));
    RETURN_IF_ERROR(CheckLength(field + ".text", input.text(), kMaxInputBytes));
    if (input.line() < 0) {
      return FieldError(field + ".line", "must not be negative.");
    }
  }
  ASSIGN_OR_RETURN(lost_fraction_, ParseLostFraction(request_.lost_fraction()));
  ASSIGN_OR_RETURN(opened_, OpenPointAt(parts_, store_, request_.at()));
  return absl::OkStatus();
}

absl::Status TenantResolution::Resolve() {
  ASSIGN_OR_RETURN(TenantRoster roster,
                   TenantRoster::Load(*parts_.history, opened_.reader->snapshot().id));
  if (request_.count_live() || request_.with_lost()) {
    RETURN_IF_ERROR(roster.CountLive(store_.live));
  }
  std::vector<std::string> texts;
  texts.reserve(static_cast<size_t>(request_.inputs_size()));
  for (const v1::TenantInput& input : request_.inputs()) {
    texts.push_back(input.text());
  }
  resolved_ = ResolveTexts(roster, texts, ResolveLimits());
  entries_ = std::move(roster).TakeEntries();
  if (request_.with_lost()) {
    FindUnnamed();
  }
  return absl::OkStatus();
}

void TenantResolution::FindUnnamed() {
  std::vector<bool> named(entries_.size());
  for (const ResolvedText& text : resolved_) {
    if (text.kind == ResolutionKind::kExact || text.kind == ResolutionKind::kNormalised) {
      named[text.candidates.front().entry] = true;
    }
  }
  for (uint32_t i = 0; i < entries_.size(); ++i) {
    if (!named[i] && IsLostEntry(entries_[i])) {
      unnamed_.push_back(i);
    }
  }
}

bool TenantResolution::IsLostEntry(const Entry& entry) const {
  return entry.at_point.has_value() && entry.rows_live.has_value() &&
         IsLost(*entry.rows_live, entry.at_point->rows, lost_fraction_);
}

void TenantResolution::EntryToWire(const Entry& entry, v1::TenantResolution* wire) const {
  TenantToWire(store_.name, entry, wire);
  if (entry.rows_live.has_value()) {
    wire->mutable_live()->set_rows(*entry.rows_live);
  }
  if (IsLostEntry(entry)) {
    wire->set_loss(*entry.rows_live == 0 ? v1::TENANT_LOSS_GONE : v1::TENANT_LOSS_SHRUNKEN);
  }
}

void TenantResolution::ResolvedToWire(size_t input, v1::TenantResolution* wire) const {
  const ResolvedText& text = resolved_[input];
  wire->set_line(request_.inputs(static_cast<int>(input)).line());
  wire->set_input(request_.inputs(static_cast<int>(input)).text());
  wire->set_match(KindToWire(text.kind));
  auto candidate = text.candidates.begin();
  if (text.kind == ResolutionKind::kExact || text.kind == ResolutionKind::kNormalised) {
    EntryToWire(entries_[candidate->entry], wire);
    ++candidate;
  }
  for (; candidate != text.candidates.end(); ++candidate) {
    v1::TenantCandidate* other = wire->add_candidates();
    TenantToWire(store_.name, entries_[candidate->entry], other);
    other->set_score(candidate->similarity);
  }
  wire->set_more_candidates(text.more_candidates);
  wire->set_similar_not_sought(text.similar_not_sought);
}

absl::StatusOr<Produced> TenantResolution::Next(google::protobuf::Message* message) {
  auto* response = static_cast<v1::ResolveTenantsResponse*>(message);
  const bool first = !std::exchange(begun_, true);
  if (first) {
    RETURN_IF_ERROR(Resolve());
    ToWire(opened_.point, response->mutable_point());
  }
  size_t bytes = 0;
  for (; next_ < resolved_.size() + unnamed_.size() && bytes < kMessageBytes; ++next_) {
    v1::TenantResolution* wire = response->add_resolutions();
    if (next_ < resolved_.size()) {
      ResolvedToWire(next_, wire);
    } else {
      EntryToWire(entries_[unnamed_[next_ - resolved_.size()]], wire);
    }
    bytes += wire->ByteSizeLong();
  }
  return response->resolutions_size() > 0 ? Produced::kMessage : Produced::kEnd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<StreamSource>> MakeTenantResolution(
    const ServiceParts& parts, const v1::ResolveTenantsRequest& request) {
  ASSIGN_OR_RETURN(const ServedStore* store, parts.stores->Find(request.store()));
  auto resolution = std::make_unique<TenantResolution>(parts, *store, request);
  RETURN_IF_ERROR(resolution->Check());
  return resolution;
}

}  // namespace reinstate

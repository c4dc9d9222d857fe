#include "storage/state/audit_chain.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/digest.h"

namespace reinstate {
namespace {

absl::Status ChainBroken(int64_t number) {
  return MakeError(Reason::kCorrupt,
                   absl::StrCat("the audit chain does not hold at entry ", number,
                                ": entries from there on were changed, removed or damaged"));
}

}  // namespace

std::string AuditChain::DigestOf(const state::AuditEntry& entry) {
  state::AuditEntry body = entry;
  body.clear_digest();
  Digest digest;
  digest.Add(entry.previous());
  digest.Add(SerializeDeterministic(body));
  return digest.Finish();
}

void AuditChain::Append(const AuditDraft& draft, absl::Time now, ChangeSet* change) const {
  const auto head = change->audit_head().value_or(
      ChangeSet::AuditHead{database_->meta().audit_number(), database_->meta().audit_head()});
  state::AuditEntry entry = draft;
  entry.set_number(head.number + 1);
  entry.set_time_us(absl::ToUnixMicros(now));
  entry.set_previous(head.digest);
  entry.set_digest(DigestOf(entry));
  change->Put(StateFamily::kAudit, StateKeys::ForAudit(static_cast<uint64_t>(entry.number())),
              entry);
  change->SetAuditHead({entry.number(), entry.digest()});
}

absl::StatusOr<std::vector<state::AuditEntry>> AuditChain::List(int64_t after_number,
                                                                int64_t limit) const {
  std::vector<state::AuditEntry> entries;
  RETURN_IF_ERROR(database_->Scan(
      StateFamily::kAudit, StateDatabase::Order::kAscending,
      StateKeys::ForAudit(static_cast<uint64_t>(after_number) + 1),
      [&](std::string_view, std::string_view value) -> absl::StatusOr<bool> {
        if (static_cast<int64_t>(entries.size()) >= limit) {
          return false;
        }
        state::AuditEntry entry;
        if (!entry.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
          return ChainBroken(after_number + static_cast<int64_t>(entries.size()) + 1);
        }
        entries.push_back(std::move(entry));
        return true;
      }));
  return entries;
}

absl::Status AuditChain::Verify(const ChangeSet::AuditHead& head) const {
  ChangeSet::AuditHead at;
  RETURN_IF_ERROR(
      database_->Scan(StateFamily::kAudit, StateDatabase::Order::kAscending, "",
                      [&](std::string_view, std::string_view value) -> absl::StatusOr<bool> {
                        if (at.number == head.number) {
                          return false;  // appended after `head` was taken
                        }
                        state::AuditEntry entry;
                        if (!entry.ParseFromArray(value.data(), static_cast<int>(value.size())) ||
                            entry.number() != at.number + 1 || entry.previous() != at.digest ||
                            entry.digest() != DigestOf(entry)) {
                          return ChainBroken(at.number + 1);
                        }
                        at = {entry.number(), entry.digest()};
                        return true;
                      }));
  if (at.number != head.number) {
    return ChainBroken(at.number + 1);
  }
  return at.digest == head.digest ? absl::OkStatus() : ChainBroken(at.number);
}

}  // namespace reinstate

#include "client/cli/words.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "client/cli/display_text.h"
#include "google/protobuf/generated_enum_reflection.h"

namespace reinstate {
namespace {

template <typename Enum>
std::string Word(Enum value, const char* prefix) {
  const auto* descriptor = google::protobuf::GetEnumDescriptor<Enum>();
  const auto* entry = descriptor->FindValueByNumber(static_cast<int>(value));
  if (entry == nullptr) {
    return absl::StrCat(static_cast<int>(value));
  }
  const absl::string_view name = absl::StripPrefix(entry->name(), prefix);
  if (name == "UNSPECIFIED") {
    return "";
  }
  return absl::StrReplaceAll(absl::AsciiStrToLower(name), {{"_", "-"}});
}

std::string WhoHas(v1::ConflictOwner owner) {
  switch (owner) {
    case v1::CONFLICT_OWNER_THIS_TENANT:
      return " is that of another row of the tenant, which is kept";
    case v1::CONFLICT_OWNER_NOBODY:
      return " is that of a row that belongs to nobody";
    default:
      return " belongs to another tenant now";
  }
}

}  // namespace

std::string WordFor(v1::RestoreState value) { return Word(value, "RESTORE_STATE_"); }
std::string WordFor(v1::RestorePhase value) { return Word(value, "RESTORE_PHASE_"); }
std::string WordFor(v1::RestoreMode value) { return Word(value, "RESTORE_MODE_"); }
std::string WordFor(v1::RestoreKind value) { return Word(value, "RESTORE_KIND_"); }
std::string WordFor(v1::RowAction value) { return Word(value, "ROW_ACTION_"); }
std::string WordFor(v1::PlanState value) { return Word(value, "PLAN_STATE_"); }
std::string WordFor(v1::JobState value) { return Word(value, "JOB_STATE_"); }
std::string WordFor(v1::JobKind value) { return Word(value, "JOB_KIND_"); }
std::string WordFor(v1::SnapshotState value) { return Word(value, "SNAPSHOT_STATE_"); }
std::string WordFor(v1::StoreState value) { return Word(value, "STORE_STATE_"); }
std::string WordFor(v1::AdapterKind value) { return Word(value, "ADAPTER_KIND_"); }
std::string WordFor(v1::TableRelation value) { return Word(value, "TABLE_RELATION_"); }
std::string WordFor(v1::TenantLoss value) { return Word(value, "TENANT_LOSS_"); }
std::string WordFor(v1::TenantMatchKind value) { return Word(value, "TENANT_MATCH_KIND_"); }
std::string WordFor(v1::TenantResolutionKind value) {
  return Word(value, "TENANT_RESOLUTION_KIND_");
}
std::string WordFor(v1::BatchState value) { return Word(value, "BATCH_STATE_"); }
std::string WordFor(v1::BatchLineState value) { return Word(value, "BATCH_LINE_STATE_"); }

std::string SentenceFor(const v1::Conflict& conflict) {
  const std::string what = conflict.constraint().empty()
                               ? "its key"
                               : absl::StrCat("a value of ", Printable(conflict.constraint()));
  switch (conflict.kind()) {
    case v1::CONFLICT_KIND_TAKEN:
      return absl::StrCat(what, WhoHas(conflict.owner()));
    case v1::CONFLICT_KIND_CHANGED_SINCE:
      return "it has changed since the restore";
    case v1::CONFLICT_KIND_NO_PARTITION:
      return "its table has no partition that takes it";
    default:
      return "it cannot be settled";
  }
}

v1::RestoreMode ModeNamed(const std::string& word) {
  if (word == "overwrite") {
    return v1::RESTORE_MODE_OVERWRITE;
  }
  return word == "mirror" ? v1::RESTORE_MODE_MIRROR : v1::RESTORE_MODE_CREATE_MISSING;
}

bool CanDestroy(v1::RestoreMode mode) {
  return mode == v1::RESTORE_MODE_OVERWRITE || mode == v1::RESTORE_MODE_MIRROR;
}

std::string SentenceFor(v1::RestoreMode value) {
  switch (value) {
    case v1::RESTORE_MODE_CREATE_MISSING:
      return "inserts what is missing, keeps everything that is there";
    case v1::RESTORE_MODE_OVERWRITE:
      return "inserts what is missing, replaces what differs, keeps what is only there now";
    case v1::RESTORE_MODE_MIRROR:
      return "leaves the tenant exactly as it was: inserts, replaces and deletes";
    default:
      return "";
  }
}

std::string NameOf(const v1::TenantRef& tenant) {
  std::string id = Printable(tenant.tenant());
  if (tenant.label().empty() || tenant.label() == tenant.tenant()) {
    return id;
  }
  return absl::StrCat(id, " \"", Printable(tenant.label()), "\"");
}

}  // namespace reinstate

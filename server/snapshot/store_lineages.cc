#include "server/snapshot/store_lineages.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

constexpr size_t kMaxNameBytes = 64;
constexpr char kSeparator = '/';  // in no store's name

LineageOwner Parse(const LineageInfo& info) {
  const size_t separator = info.name.find(kSeparator);
  LineageOwner owner{.store = info.name.substr(0, separator),
                     .lineage = {.number = info.number, .name = {}}};
  if (separator != std::string::npos) {
    owner.lineage.name = info.name.substr(separator + 1);
  }
  return owner;
}

}  // namespace

absl::Status CheckLineageName(std::string_view name) {
  const bool valid =
      !name.empty() && name.size() <= kMaxNameBytes && absl::ascii_islower(name.front()) &&
      std::all_of(name.begin(), name.end(), [](char c) {
        return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '_';
      });
  return valid ? absl::OkStatus()
               : MakeError(Reason::kInvalidArgument,
                           absl::StrCat("\"", Printable(name),
                                        "\" cannot be a lineage of imported dumps: it needs 1 to ",
                                        kMaxNameBytes,
                                        " lower-case letters, digits, - and _, the first of them "
                                        "a letter."));
}

std::string ImportLineage(const std::string& store, const std::string& name) {
  return absl::StrCat(store, std::string(1, kSeparator), name);
}

std::vector<StoreLineage> LineagesOf(const History& history, const std::string& store) {
  std::vector<StoreLineage> lineages;
  for (const LineageInfo& info : history.ListLineages()) {
    if (LineageOwner owner = Parse(info); owner.store == store) {
      lineages.push_back(owner.lineage);
    }
  }
  std::ranges::sort(lineages, {}, &StoreLineage::name);
  return lineages;
}

std::optional<LineageOwner> OwnerOf(const History& history, uint32_t lineage) {
  for (const LineageInfo& info : history.ListLineages()) {
    if (info.number == lineage) {
      return Parse(info);
    }
  }
  return std::nullopt;
}

}  // namespace reinstate

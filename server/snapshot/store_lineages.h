#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "storage/history/history.h"

namespace reinstate {

// The lineage into which dumps are imported if none is named.
inline constexpr char kDefaultImportLineage[] = "imported";

// One of a store's lineages: its own, which has the store's name in the history, or one of imported
// dumps, which is called "<store>/<name>" there.
struct StoreLineage {
  uint32_t number = 0;
  std::string name;  // empty: the store's own
};

// INVALID_ARGUMENT if `name` cannot be a lineage of imported dumps: 1 to 64 lower-case letters,
// digits, `-` and `_`, beginning with a letter.
absl::Status CheckLineageName(std::string_view name);

// What the history calls the lineage `name` of imported dumps of `store`.
std::string ImportLineage(const std::string& store, const std::string& name);

// The lineages of `store`, its own first.
std::vector<StoreLineage> LineagesOf(const History& history, const std::string& store);

// The store of a lineage, and which of its lineages it is; nullopt if there is no such lineage.
struct LineageOwner {
  std::string store;
  StoreLineage lineage;
};
std::optional<LineageOwner> OwnerOf(const History& history, uint32_t lineage);

}  // namespace reinstate

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/history/history.h"
#include "storage/live/live_store.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

// All tenants of a lineage by all their names, in memory, for questions about many of them at once.
// Some hundred bytes a tenant. A value; thread-compatible.
class TenantRoster {
 public:
  // What a tenant had at the point.
  struct Size {
    int64_t rows = 0;
    int64_t bytes = 0;
  };

  // A tenant that a visible snapshot or the live store has.
  struct Entry {
    TenantId tenant = TenantId::Ownerless();
    std::string label;             // at the point; else in the newest visible snapshot that has it
    std::optional<Size> at_point;  // absent if it was not there
    std::optional<int64_t> rows_live;  // absent before CountLive
  };

  // An id, or a label that a visible snapshot has. Those of an entry are beside each other.
  struct Name {
    uint32_t entry = 0;  // in entries()
    bool is_id = false;
    std::string text;
    uint32_t normalised_size = 0;  // characters
    size_t normalised_begin = 0;
  };

  // Reads the manifests of the whole lineage once. `point` is a snapshot of it. Errors of
  // History::ListSnapshots and History::ScanManifests.
  static absl::StatusOr<TenantRoster> Load(const History& history, const SnapshotId& point);

  // Counts the whole live store, in one consistent view, and adds the tenants that only it has,
  // with their ids as names. Errors of LiveStore::CountTenants. To be called once.
  absl::Status CountLive(LiveStore* live);

  // Ascending by tenant; after CountLive, those that only the live store has follow.
  const std::vector<Entry>& entries() const { return entries_; }
  const std::vector<Name>& names() const { return names_; }

  // NormalisedLabel of a name.
  std::u32string_view NormalisedOf(const Name& name) const {
    return std::u32string_view(normalised_).substr(name.normalised_begin, name.normalised_size);
  }

  // Gives the entries away, where the names are no longer needed.
  std::vector<Entry> TakeEntries() && { return std::move(entries_); }

 private:
  friend class RosterBuilder;

  void AddName(bool is_id, const std::string& text);  // of the last entry

  std::vector<Entry> entries_;
  std::vector<Name> names_;
  std::u32string normalised_;  // of all names, one after the other
};

}  // namespace reinstate

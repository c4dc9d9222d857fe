#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace reinstate {

// The column families of the state's database. The order is that of kFamilyNames; append only.
enum class StateFamily : uint8_t {
  kMeta,
  kRestores,
  kPlans,
  kJobs,
  kUndo,
  kCertificates,
  kAudit,
  kRequests,
  kWitnesses,
  kStores,
  kBatches,
  kBatchLines,
};

inline constexpr size_t kStateFamilies = 12;

// The family's name in the database.
std::string_view StateFamilyName(StateFamily family);

// Whether records of the family are counted, and the count checked when the database opens. All but
// undo (the intent has its count) and meta (one record).
constexpr bool IsCounted(StateFamily family) {
  return family != StateFamily::kMeta && family != StateFamily::kUndo;
}

// Builds and parses the keys of the state's database. Keys of one family compare in the order of
// their parts. Stateless.
class StateKeys {
 public:
  static std::string Meta() { return "meta"; }

  // Of restores, plans, jobs, certificates (the restore's id), requests, witnesses, stores and
  // batches.
  static std::string ForId(std::string_view id);
  static bool ParseId(std::string_view key, std::string* id);

  static std::string ForUndo(std::string_view restore, uint64_t chunk);
  static bool ParseUndo(std::string_view key, std::string* restore, uint64_t* chunk);
  // What all undo keys of `restore` begin with, and no other.
  static std::string UndoPrefix(std::string_view restore) { return ForId(restore); }

  static std::string ForAudit(uint64_t number);

  static std::string ForBatchLine(std::string_view batch, uint64_t line);
  // What the keys of all lines of `batch` begin with, and no other.
  static std::string BatchLinePrefix(std::string_view batch) { return ForId(batch); }
};

}  // namespace reinstate

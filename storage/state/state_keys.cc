#include "storage/state/state_keys.h"

#include <array>

#include "storage/model/key_parts.h"

namespace reinstate {
namespace {

constexpr std::array<std::string_view, kStateFamilies> kFamilyNames = {
    "default", "restores", "plans",     "jobs",   "undo",    "certificates",
    "audit",   "requests", "witnesses", "stores", "batches", "batch_lines"};

}  // namespace

std::string_view StateFamilyName(StateFamily family) {
  return kFamilyNames[static_cast<size_t>(family)];
}

std::string StateKeys::ForId(std::string_view id) {
  std::string key;
  AppendKeyPart(id, &key);
  return key;
}

bool StateKeys::ParseId(std::string_view key, std::string* id) {
  return ConsumeKeyPart(&key, id) && key.empty();
}

std::string StateKeys::ForUndo(std::string_view restore, uint64_t chunk) {
  std::string key = UndoPrefix(restore);
  AppendKeyPart64(chunk, &key);
  return key;
}

bool StateKeys::ParseUndo(std::string_view key, std::string* restore, uint64_t* chunk) {
  return ConsumeKeyPart(&key, restore) && ConsumeKeyPart64(&key, chunk) && key.empty();
}

std::string StateKeys::ForBatchLine(std::string_view batch, uint64_t line) {
  std::string key = BatchLinePrefix(batch);
  AppendKeyPart64(line, &key);
  return key;
}

std::string StateKeys::ForAudit(uint64_t number) {
  std::string key;
  AppendKeyPart64(number, &key);
  return key;
}

}  // namespace reinstate

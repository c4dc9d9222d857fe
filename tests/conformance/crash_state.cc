#include "tests/conformance/crash_state.h"

#include <utility>

namespace reinstate {
namespace {

constexpr int kRows = 200;

}  // namespace

Rows CrashState(int number) {
  Rows rows;
  for (int i = 0; number > 0 && i < kRows; ++i) {
    // A third is absent, a third is as in the state before.
    const int kind = (i + number) % 3;
    if (kind != 0) {
      const int since = kind == 1 ? number : number - 1;
      rows["row " + std::to_string(1000 + i)] =
          "state " + std::to_string(since) + std::string(100, '.');
    }
  }
  return rows;
}

std::vector<Change> ChangesFrom(int number) {
  const Rows before = CrashState(number);
  const Rows after = CrashState(number + 1);
  std::vector<Change> changes;
  std::vector<Change> replacements;
  std::vector<Change> insertions;
  for (const auto& [key, payload] : before) {
    if (const auto row = after.find(key); row == after.end()) {
      changes.push_back(Delete(kStateTable, key, payload));
    } else if (row->second != payload) {
      replacements.push_back(Replace(kStateTable, key, payload, row->second));
    }
  }
  for (const auto& [key, payload] : after) {
    if (!before.contains(key)) {
      insertions.push_back(Insert(kStateTable, key, payload));
    }
  }
  changes.insert(changes.end(), replacements.begin(), replacements.end());
  changes.insert(changes.end(), insertions.begin(), insertions.end());
  return changes;
}

}  // namespace reinstate

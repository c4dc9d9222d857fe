#include "storage/state/state_keys.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>
#include <string>
#include <tuple>

namespace reinstate {
namespace {

TEST(StateKeys, GivesUndoKeysBackAsTheyWere) {
  EXPECT_TRUE(rc::check([](const std::string& restore, uint64_t chunk) {
    std::string parsed_restore;
    uint64_t parsed_chunk = 0;
    RC_ASSERT(
        StateKeys::ParseUndo(StateKeys::ForUndo(restore, chunk), &parsed_restore, &parsed_chunk));
    RC_ASSERT(parsed_restore == restore);
    RC_ASSERT(parsed_chunk == chunk);
  }));
}

TEST(StateKeys, OrdersUndoByRestoreThenChunk) {
  EXPECT_TRUE(rc::check([](const std::string& a, const std::string& b, uint64_t i, uint64_t j) {
    const bool keys_ordered = StateKeys::ForUndo(a, i) < StateKeys::ForUndo(b, j);
    RC_ASSERT(keys_ordered == (std::tie(a, i) < std::tie(b, j)));
  }));
}

TEST(StateKeys, HasNoUndoKeyOfAnotherRestoreBelowAPrefix) {
  EXPECT_TRUE(rc::check([](const std::string& a, const std::string& b, uint64_t chunk) {
    RC_PRE(a != b);
    RC_ASSERT(!StateKeys::ForUndo(b, chunk).starts_with(StateKeys::UndoPrefix(a)));
    RC_ASSERT(StateKeys::ForUndo(a, chunk).starts_with(StateKeys::UndoPrefix(a)));
  }));
}

TEST(StateKeys, RefusesMalformedKeys) {
  std::string id;
  uint64_t chunk = 0;
  EXPECT_FALSE(StateKeys::ParseUndo("", &id, &chunk));
  EXPECT_FALSE(StateKeys::ParseUndo(StateKeys::ForId("rst-1"), &id, &chunk));
  EXPECT_FALSE(StateKeys::ParseUndo(StateKeys::ForUndo("rst-1", 1) + "x", &id, &chunk));
  EXPECT_FALSE(StateKeys::ParseId(StateKeys::ForUndo("rst-1", 1), &id));
}

TEST(StateKeys, NamesEachFamilyOnce) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < kStateFamilies; ++i) {
    names.insert(StateFamilyName(static_cast<StateFamily>(i)));
  }
  EXPECT_EQ(names.size(), kStateFamilies);
}

}  // namespace
}  // namespace reinstate

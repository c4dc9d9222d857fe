#pragma once

#include <string>
#include <vector>

#include "storage/live/tenant_session.h"
#include "tests/conformance/live_store_test.h"

namespace reinstate {

// The states that the process which is to crash takes its tenant through, one session each. Any two
// that follow each other differ in rows that are deleted, replaced and inserted; a mixture of two
// equals none.

inline constexpr const char* kCrashTenant = "acme";
inline constexpr const char* kStateTable = "issue";
inline constexpr const char* kLogTable = "log";

// The rows of kStateTable in state `number`; of state 0 there are none.
Rows CrashState(int number);

// What leads from state `number` to the next, in the order of application.
std::vector<Change> ChangesFrom(int number);

}  // namespace reinstate

#pragma once

#include <cstddef>

// The sizes of the adapter protocol (proto/reinstate/v1/live_store_service.proto), and those that
// we keep to, which are smaller.

namespace reinstate::live_wire {

inline constexpr size_t kMaxLookUpKeys = 1000;
inline constexpr size_t kMaxLookUpBytes = 1 << 20;
inline constexpr size_t kMaxCountedTenants = 1000;
inline constexpr size_t kMaxKeyBytes = 256 << 10;
inline constexpr size_t kMaxTokenBytes = 4 << 10;
inline constexpr size_t kMaxPressureBytes = 40;
inline constexpr size_t kMaxExceptions = 100;
inline constexpr size_t kMaxSentenceBytes = 1024;

// A message of rows is sent once it has this much. A part of a payload is at most kPartBytes, so no
// message of rows exceeds a megabyte.
inline constexpr size_t kBatchBytes = 256 << 10;
inline constexpr size_t kPartBytes = 512 << 10;

// Messages that we accept: a catalog is sent whole.
inline constexpr int kMaxMessageBytes = 16 << 20;

}  // namespace reinstate::live_wire

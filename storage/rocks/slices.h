#pragma once

#include <rocksdb/slice.h>

#include <string_view>

namespace reinstate {

inline rocksdb::Slice ToSlice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

inline std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

}  // namespace reinstate

#include "proto/dump_parts.h"

#include <algorithm>
#include <utility>

namespace reinstate {

size_t DumpRowBytes(const v1::DumpRow& row) {
  size_t bytes = 0;
  for (const std::string& key : row.key()) {
    bytes += key.size();
  }
  for (const v1::DumpValue& value : row.values()) {
    bytes += value.value().size();
  }
  return bytes;
}

std::vector<v1::DumpRow> SplitDumpRow(v1::DumpRow row, size_t max_bytes) {
  std::vector<v1::DumpRow> parts;
  if (DumpRowBytes(row) <= max_bytes) {
    parts.push_back(std::move(row));
    return parts;
  }
  parts.emplace_back();
  *parts.back().mutable_key() = row.key();
  size_t room = max_bytes;
  for (const v1::DumpValue& value : row.values()) {
    v1::DumpValue* piece = parts.back().add_values();
    piece->set_null(value.null());
    for (size_t at = 0; at < value.value().size();) {
      if (room == 0) {
        parts.back().set_more(true);
        piece = parts.emplace_back().add_values();
        room = max_bytes;
      }
      const size_t taken = std::min(room, value.value().size() - at);
      piece->mutable_value()->append(value.value(), at, taken);
      at += taken;
      room -= taken;
    }
  }
  return parts;
}

bool DumpRowJoiner::Add(v1::DumpRow part) {
  const bool more = part.more();
  if (!open_) {
    row_ = std::move(part);
  } else if (part.key_size() > 0 || part.values_size() == 0 || row_.values_size() == 0 ||
             part.values(0).null() || row_.values().rbegin()->null()) {
    failed_ = true;
    return false;
  } else {
    row_.mutable_values()->rbegin()->mutable_value()->append(part.values(0).value());
    for (int i = 1; i < part.values_size(); ++i) {
      *row_.add_values() = std::move(*part.mutable_values(i));
    }
  }
  row_.set_more(false);
  open_ = more;
  return !more;
}

}  // namespace reinstate

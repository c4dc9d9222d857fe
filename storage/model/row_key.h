#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <utility>

namespace reinstate {

// The key of a record within one tenant and table: any bytes, compared bytewise. A composite key is
// the concatenation of its columns' texts as AppendKeyPart (key_parts.h) writes them. A value.
class RowKey {
 public:
  RowKey() = default;
  explicit RowKey(std::string bytes) : bytes_(std::move(bytes)) {}

  const std::string& bytes() const { return bytes_; }

  // Becomes another key; its memory is reused.
  void Assign(std::string_view bytes) { bytes_.assign(bytes); }

  friend auto operator<=>(const RowKey&, const RowKey&) = default;

 private:
  std::string bytes_;
};

}  // namespace reinstate

#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"

namespace reinstate {

// The id of one customer in a store: the text of the tenant column. A value; compares bytewise.
class TenantId {
 public:
  static constexpr size_t kMaxBytes = 1024;

  // `text` is UTF-8 of 1 to kMaxBytes bytes without NUL. Otherwise TENANT_ID_INVALID, with what is
  // wrong.
  static absl::StatusOr<TenantId> Parse(std::string_view text);

  // The reserved tenant under which rows that belong to nobody are kept. Its text is empty, so no
  // parsed id equals it.
  static TenantId Ownerless() { return TenantId(std::string()); }

  // As stored earlier: `text` came from value() of a parsed id or of Ownerless(). Not checked.
  static TenantId FromStored(std::string text) { return TenantId(std::move(text)); }

  const std::string& value() const { return value_; }
  bool is_ownerless() const { return value_.empty(); }

  friend auto operator<=>(const TenantId&, const TenantId&) = default;

  template <typename H>
  friend H AbslHashValue(H state, const TenantId& id) {
    return H::combine(std::move(state), id.value_);
  }

 private:
  explicit TenantId(std::string value) : value_(std::move(value)) {}

  std::string value_;
};

// `text` with control characters and invalid UTF-8 replaced, cut to about `max_bytes`, for
// messages.
std::string Printable(std::string_view text, size_t max_bytes = 64);

// Whether `text` is well-formed UTF-8 (Unicode 15, table 3-7: no surrogates, no overlong forms).
bool IsUtf8(std::string_view text);

}  // namespace reinstate

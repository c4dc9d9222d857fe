#include "storage/model/tenant_id.h"

#include <unicode/utf8.h>

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

// Decodes the code point at `offset` and moves on; negative if the bytes there are not UTF-8.
UChar32 NextCodePoint(std::string_view text, int32_t* offset) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  UChar32 code_point = 0;
  U8_NEXT(bytes, *offset, static_cast<int32_t>(text.size()), code_point);
  return code_point;
}

bool IsControl(UChar32 code_point) {
  return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
}

}  // namespace

bool IsUtf8(std::string_view text) {
  const auto size = static_cast<int32_t>(text.size());
  int32_t offset = 0;
  while (offset < size) {
    if (NextCodePoint(text, &offset) < 0) {
      return false;
    }
  }
  return true;
}

std::string Printable(std::string_view text, size_t max_bytes) {
  const bool cut = text.size() > max_bytes;
  text = text.substr(0, max_bytes);
  const auto size = static_cast<int32_t>(text.size());
  std::string out;
  int32_t offset = 0;
  while (offset < size) {
    const int32_t start = offset;
    const UChar32 code_point = NextCodePoint(text, &offset);
    if (code_point < 0 || IsControl(code_point)) {
      out += "\xEF\xBF\xBD";
    } else {
      out += text.substr(start, offset - start);
    }
  }
  return cut ? out + "…" : out;
}

absl::StatusOr<TenantId> TenantId::Parse(std::string_view text) {
  if (text.empty()) {
    return MakeError(Reason::kTenantIdInvalid, "the tenant id is empty; give the id of one tenant");
  }
  if (text.size() > kMaxBytes) {
    return MakeError(Reason::kTenantIdInvalid,
                     absl::StrCat("the tenant id \"", Printable(text), "\" has ", text.size(),
                                  " bytes; at most ", kMaxBytes, " are allowed"));
  }
  if (text.find('\0') != std::string_view::npos) {
    return MakeError(Reason::kTenantIdInvalid,
                     absl::StrCat("the tenant id \"", Printable(text), "\" contains a NUL byte"));
  }
  if (!IsUtf8(text)) {
    return MakeError(Reason::kTenantIdInvalid,
                     absl::StrCat("the tenant id \"", Printable(text), "\" is not valid UTF-8"));
  }
  return TenantId(std::string(text));
}

}  // namespace reinstate

// Lists of tenants: any bytes are a list or refused, and each line is told at most once.

#include <cstdint>
#include <string_view>

#include "client/lists/tenant_list.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using reinstate::Require;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const char* separator : {"", "comma", "none"}) {
    const auto list = reinstate::ParseTenantList(bytes, {.separator = separator});
    if (!list.ok()) {
      Require(list.status().code() == absl::StatusCode::kInvalidArgument,
              "what is no list is an invalid argument");
      continue;
    }
    int64_t last = 0;
    for (const reinstate::ListedTenant& tenant : list->tenants) {
      Require(tenant.line > last, "lines ascend");
      Require(!tenant.text.empty() && tenant.text.find('\0') == std::string::npos,
              "a tenant has a text");
      last = tenant.line;
    }
    for (const reinstate::ListRepeat& repeat : list->repeats) {
      Require(repeat.first < repeat.line, "the first comes first");
    }
  }
  return 0;
}

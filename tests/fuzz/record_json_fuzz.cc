// Lines that `record load` reads: any bytes are a record or refused.

#include <cstdint>
#include <string>

#include "client/cli/json_record.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using reinstate::Require;
  const auto record =
      reinstate::RecordFromJson(std::string(reinterpret_cast<const char*>(data), size));
  Require(record.ok() || record.status().code() == absl::StatusCode::kInvalidArgument,
          "what is no record is an invalid argument");
  return 0;
}

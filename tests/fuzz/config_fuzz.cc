// The daemon's config file: any bytes are a config or refused as one, with the file's name.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/config/config_file.h"
#include "storage/base/error.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using reinstate::Require;
  const int file = memfd_create("config", 0);
  Require(file >= 0 && write(file, data, size) == static_cast<ssize_t>(size), "there is a file");
  const std::string path = absl::StrCat("/proc/self/fd/", file);
  const auto config = reinstate::ReadConfigFile(path);
  close(file);
  if (!config.ok()) {
    Require(reinstate::HasReason(config.status(), reinstate::Reason::kConfigInvalid),
            "the config is what is refused");
    Require(absl::StrContains(config.status().message(), path), "the file is named");
  }
  return 0;
}

#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "client/cli/console.h"
#include "client/lists/tenant_list.h"

namespace reinstate {

// A list of tenants, as it is given on the command line.
struct TenantListFile {
  std::string path;  // "-" for the standard input; empty if none was given
  std::string column;
  std::string encoding;
  std::string note_column;
};

// Adds -f, --column and --encoding. Returns the option for the file.
CLI::Option* AddTenantListOptions(CLI::App* command, TenantListFile* file);

// The options, beside that of the file, that make `batch resolve` read `file` likewise, quoted for
// a shell: "--column 'Customer name'". Empty if there are none.
std::string ReadingOptions(const TenantListFile& file);

// Reads `file`. INVALID_ARGUMENT if it cannot be read, and as ReadTenantList, with the file's name.
absl::StatusOr<TenantList> ReadTenantListFile(const TenantListFile& file, const Console& console);

}  // namespace reinstate

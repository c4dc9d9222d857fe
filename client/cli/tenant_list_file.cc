#include "client/cli/tenant_list_file.h"

#include <array>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/restore_views.h"
#include "storage/base/error.h"

namespace reinstate {

CLI::Option* AddTenantListOptions(CLI::App* command, TenantListFile* file) {
  CLI::Option* path =
      command
          ->add_option("-f,--file", file->path,
                       "The list: CSV, JSON lines or a tenant a line; - for the standard input")
          ->type_name("FILE");
  command
      ->add_option(
          "--column", file->column,
          "The column that names the tenants, by title, or by number where there are no titles; "
          "default found out")
      ->type_name("NAME");
  command
      ->add_option("--encoding", file->encoding,
                   "What the list is written in, e.g. windows-1252; default found out")
      ->type_name("NAME");
  return path;
}

std::string ReadingOptions(const TenantListFile& file) {
  const std::array<std::pair<const char*, const std::string*>, 3> options = {
      {{"--column ", &file.column},
       {"--encoding ", &file.encoding},
       {"--note-column ", &file.note_column}}};
  std::string text;
  for (const auto& [option, value] : options) {
    if (!value->empty()) {
      absl::StrAppend(&text, text.empty() ? "" : " ", option, ShellWord(*value));
    }
  }
  return text;
}

absl::StatusOr<TenantList> ReadTenantListFile(const TenantListFile& file, const Console& console) {
  ListOptions options;
  options.column = file.column;
  options.encoding = file.encoding;
  options.note = file.note_column;
  if (file.path == "-") {
    return ReadTenantList(*console.in, options);
  }
  std::ifstream in(file.path, std::ios::binary);
  if (!in) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat("The list ", file.path, " cannot be opened."));
  }
  absl::StatusOr<TenantList> list = ReadTenantList(in, options);
  if (!list.ok()) {
    return WithContext(list.status(), file.path);
  }
  return list;
}

}  // namespace reinstate

#include "tests/unit/storage/history/damage_support.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace reinstate {

namespace fs = std::filesystem;

TenantModel SomeTenants(char fill) {
  TenantModel model;
  for (int tenant = 0; tenant < 12; ++tenant) {
    const std::string id = absl::StrCat("tenant", tenant);
    for (int row = 0; row < 8; ++row) {
      model.tenants[id][row % 2][absl::StrCat("key", row)] =
          std::string(static_cast<size_t>(10 + tenant), row == 0 ? fill : 'x');
    }
    model.labels[id] = {absl::StrCat("Label ", tenant)};
  }
  return model;
}

void CopyFolder(const std::string& from, const std::string& to) {
  fs::remove_all(to);
  fs::create_directories(to);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(from)) {
    const fs::path target = to / fs::relative(entry.path(), from);
    std::error_code gone;
    if (entry.is_directory(gone)) {
      fs::create_directories(target);
    } else {
      fs::create_directories(target.parent_path());
      fs::copy_file(entry.path(), target, gone);
    }
  }
}

}  // namespace reinstate

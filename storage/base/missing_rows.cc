#include "storage/base/missing_rows.h"

#include "absl/strings/str_cat.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

constexpr std::string_view kRows = "rows of table ";
constexpr std::string_view kRefer = " refer to ";
constexpr std::string_view kMissing = " that are not there";

}  // namespace

std::string MissingRowsText(std::string_view child, int64_t parents, std::string_view parent) {
  return absl::StrCat(Absl(kRows), Absl(child), Absl(kRefer), parents, " ", Absl(kRows),
                      Absl(parent), Absl(kMissing));
}

std::string ReferringTable(std::string_view message) {
  const size_t rows = message.find(kRows);
  const size_t refer = message.find(kRefer, rows == std::string_view::npos ? rows : rows + 1);
  if (rows == std::string_view::npos || refer == std::string_view::npos ||
      message.find(kMissing, refer) == std::string_view::npos) {
    return "";
  }
  const size_t name = rows + kRows.size();
  return std::string(message.substr(name, refer - name));
}

}  // namespace reinstate

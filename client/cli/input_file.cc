#include "client/cli/input_file.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"

namespace reinstate {

absl::StatusOr<std::unique_ptr<InputFile>> InputFile::Open(const std::string& path,
                                                           const Console& console) {
  std::unique_ptr<InputFile> input(new InputFile());
  if (path == "-") {
    input->in_ = console.in;
    input->name_ = "the standard input";
    return input;
  }
  input->file_.open(path, std::ios::binary);
  if (!input->file_) {
    return MakeError(Reason::kInvalidArgument, absl::StrCat("The file ", path, " cannot be read."));
  }
  input->in_ = &input->file_;
  input->name_ = path;
  std::error_code unknown;
  const uintmax_t size = std::filesystem::file_size(path, unknown);
  input->bytes_ = unknown ? 0 : static_cast<int64_t>(size);
  return input;
}

}  // namespace reinstate

#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>  // mkdtemp: POSIX, not in <cstdlib>

#include <filesystem>
#include <string>
#include <system_error>

namespace reinstate {

// A new, empty folder that is removed with everything in it at the end of its life.
class TempDir {
 public:
  TempDir() {
    path_ = testing::TempDir() + "reinstate_XXXXXX";
    if (mkdtemp(path_.data()) == nullptr) {
      ADD_FAILURE() << "no temporary folder " << path_;
    }
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace reinstate

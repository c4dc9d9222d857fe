#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace reinstate {

// Makes a program of `text`, a script of sh, at `path`. Returns the path.
inline std::string WriteScript(const std::string& path, const std::string& text) {
  std::ofstream(path) << "#!/bin/sh\n" << text << "\n";
  std::error_code error;
  std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  EXPECT_FALSE(error) << path << ": " << error.message();
  return path;
}

// What a file holds; empty if it is not there.
inline std::string ContentsOf(const std::string& path) {
  std::ostringstream contents;
  contents << std::ifstream(path, std::ios::binary).rdbuf();
  return contents.str();
}

}  // namespace reinstate

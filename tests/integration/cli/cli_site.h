#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/daemon_process.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace reinstate {

// How a program ended.
struct ProgramResult {
  int exit_code = -1;
  std::string out;
  std::string err;
};

// A test with the real daemon and the real command line: a small site of two customers,
// 1001 "Acme Corp" and 1002 "Globex", in the embedded store.
class CliSite : public testing::Test {
 protected:
  // Starts the daemon, at the same address each time. `fault_points` as FaultPoints::ArmFromText;
  // `arguments` besides those that every daemon has.
  void StartDaemon(const std::string& fault_points = "",
                   const std::vector<std::string>& arguments = {});

  // Loads the customers: 1001 has `rows` issues and 1002 as many. Then takes a snapshot.
  void LoadAndSnapshot(int rows);

  // Runs `reinstate` with these words to its end.
  ProgramResult Run(const std::vector<std::string>& words, const std::string& input = "") const;

  // As Run, which must succeed; returns the JSON that it prints.
  nlohmann::json Json(std::vector<std::string> words) const;

  // Starts `reinstate` without waiting for it.
  std::unique_ptr<Subprocess> Begin(const std::vector<std::string>& words, bool terminal) const;

  // Runs the example in Python.
  ProgramResult RunExample(const std::vector<std::string>& words) const;

  // The number of live issues of a customer.
  size_t Issues(const std::string& tenant) const;

  void DeleteTenant(const std::string& tenant) const;

  TempDir dir_;
  std::unique_ptr<DaemonProcess> daemon_;

 private:
  std::vector<std::string> Environment() const;
  std::string socket() const { return "unix:" + dir_.path() + "/reinstated.sock"; }
};

}  // namespace reinstate

#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "reinstate/v1/batch_service.pb.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/client/fake_daemon.h"

namespace reinstate {

// A daemon that knows a few tenants and plays one batch of them, and the program that asks it.
//
// Tenants of the store "main" at snap-1-12: 1001 "Acme Corp" (also found as "acme corp"), 1002
// "Zeta"; 1009 was not there at the point. "Akme" is like 1001, "Twin" is the name of 1003 and
// 1004.
class BatchSite : public testing::Test {
 protected:
  BatchSite();

  // Runs the program; `typed` is what a person types, if there is one at the terminal.
  int Run(std::vector<std::string> words, const char* typed = nullptr);

  // Runs it with `bytes` as the standard input, which is no terminal.
  int RunWithInput(std::vector<std::string> words, const std::string& bytes);

  // The path of a file with `text` in it.
  std::string File(const std::string& name, const std::string& text) const;
  static std::string TextOf(const std::string& path);

  // Batches as the daemon has them now; tests change them before they run.
  v1::Batch plan_;   // a dry run that is PLANNED
  v1::Batch batch_;  // begun
  v1::Batch ended_;  // what watching `batch_` ends with
  std::vector<v1::BatchLine> lines_;

  FakeAnswers answers_;
  std::vector<v1::ResolveTenantsRequest> resolved_;
  std::vector<v1::CreateBatchRequest> checked_;  // with validate_only
  std::vector<v1::CreateBatchRequest> planned_;  // with dry_run
  std::vector<v1::CreateBatchRequest> created_;
  std::vector<v1::ListBatchLinesRequest> listed_;
  std::vector<std::string> controlled_;  // methods
  std::ostringstream out_;
  std::ostringstream err_;

  TempDir dir_;

 private:
  void AnswerTenants();
  void AnswerCreate();
  void AnswerReading();
  int RunOn(std::vector<std::string> words, std::istream* in, bool terminal);
};

// A line of a batch of one store.
v1::BatchLine LineIn(int64_t number, const std::string& tenant, v1::BatchLineState state);

// A line that failed with `reason`.
v1::BatchLine FailedLine(int64_t number, const std::string& tenant, Reason reason,
                         const std::string& message);

}  // namespace reinstate

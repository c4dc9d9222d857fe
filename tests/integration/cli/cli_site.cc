#include "tests/integration/cli/cli_site.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace reinstate {
namespace {

ProgramResult ResultOf(absl::StatusOr<std::unique_ptr<Subprocess>> process) {
  if (!process.ok()) {
    ADD_FAILURE() << process.status();
    return {};
  }
  ProgramResult result;
  result.exit_code = (*process)->WaitForEnd(absl::Minutes(2));
  result.out = (*process)->Out();
  result.err = (*process)->Err();
  return result;
}

std::string RecordLine(const std::string& tenant, const std::string& table, const std::string& key,
                       const std::string& payload) {
  return nlohmann::json({{"tenant", tenant}, {"table", table}, {"key", key}, {"payload", payload}})
             .dump() +
         "\n";
}

}  // namespace

void CliSite::StartDaemon(const std::string& fault_points,
                          const std::vector<std::string>& arguments) {
  daemon_.reset();
  DaemonProcess::Options options;
  options.data_path = dir_.path() + "/data";
  options.arguments = {"--listen", socket()};
  options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
  options.fault_points = fault_points;
  auto daemon = DaemonProcess::Start(options);
  ASSERT_TRUE(daemon.ok()) << daemon.status();
  daemon_ = *std::move(daemon);
}

void CliSite::LoadAndSnapshot(int rows) {
  std::string lines = RecordLine("1001", "tenant", "name", "Acme Corp") +
                      RecordLine("1002", "tenant", "name", "Globex");
  for (int i = 0; i < rows; ++i) {
    const std::string key = absl::StrFormat("%06d", i);
    lines += RecordLine("1001", "issue", key, absl::StrCat("Acme's issue ", i));
    lines += RecordLine("1002", "issue", key, absl::StrCat("Globex's issue ", i));
  }
  const ProgramResult loaded = Run({"record", "load"}, lines);
  ASSERT_EQ(loaded.exit_code, 0) << loaded.err;
  const ProgramResult taken = Run({"snapshot", "take", "--wait"});
  ASSERT_EQ(taken.exit_code, 0) << taken.err;
}

ProgramResult CliSite::Run(const std::vector<std::string>& words, const std::string& input) const {
  std::vector<std::string> all = {REINSTATE_BINARY};
  all.insert(all.end(), words.begin(), words.end());
  return ResultOf(Subprocess::Start(all, {.environment = Environment(), .input = input}));
}

nlohmann::json CliSite::Json(std::vector<std::string> words) const {
  words.insert(words.end(), {"-o", "json"});
  const ProgramResult result = Run(words);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  nlohmann::json json = nlohmann::json::parse(result.out, nullptr, /*allow_exceptions=*/false);
  EXPECT_FALSE(json.is_discarded()) << result.out;
  return json;
}

std::unique_ptr<Subprocess> CliSite::Begin(const std::vector<std::string>& words,
                                           bool terminal) const {
  std::vector<std::string> all = {REINSTATE_BINARY};
  all.insert(all.end(), words.begin(), words.end());
  auto process =
      Subprocess::Start(all, {.environment = Environment(), .input = "", .terminal = terminal});
  EXPECT_TRUE(process.ok()) << process.status();
  return process.ok() ? *std::move(process) : nullptr;
}

ProgramResult CliSite::RunExample(const std::vector<std::string>& words) const {
  // Debian's, for which the packages of gRPC are installed, whatever comes first in PATH.
  std::vector<std::string> all = {"/usr/bin/python3", REINSTATE_PYTHON_EXAMPLE,
                                  "--address",        socket(),
                                  "--stubs",          dir_.path() + "/stubs"};
  all.insert(all.end(), words.begin(), words.end());
  return ResultOf(Subprocess::Start(all, {}));
}

size_t CliSite::Issues(const std::string& tenant) const {
  return Json({"record", "scan", tenant, "issue", "--limit", "0", "--keys-only"}).size();
}

void CliSite::DeleteTenant(const std::string& tenant) const {
  const ProgramResult deleted = Run({"record", "delete-tenant", tenant, "--confirm", tenant});
  ASSERT_EQ(deleted.exit_code, 0) << deleted.err;
}

std::vector<std::string> CliSite::Environment() const {
  return {"REINSTATE_ADDRESS=" + socket(), "REINSTATE_ACTOR=pat@support", "TERM=xterm",
          "LC_ALL=C.UTF-8",
          // That the daemon is back is noticed without the looks that gRPC takes every 5 s.
          "GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS=0"};
}

}  // namespace reinstate

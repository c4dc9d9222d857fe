#include "tests/support/daemon_process.h"

#include <fcntl.h>
#include <signal.h>  // kill: POSIX
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(5);

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream contents;
  contents << file.rdbuf();
  return contents.str();
}

absl::StatusOr<pid_t> Spawn(std::vector<std::string> arguments,
                            std::vector<std::string> environment, const std::string& output_path) {
  std::vector<char*> argv;
  for (std::string& argument : arguments) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  std::vector<char*> envp;
  for (std::string& variable : environment) {
    envp.push_back(variable.data());
  }
  for (char** variable = environ; *variable != nullptr; ++variable) {
    envp.push_back(*variable);
  }
  envp.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output_path.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return absl::InternalError(absl::StrCat("cannot start ", arguments[0], ": error ", error));
  }
  return pid;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DaemonProcess>> DaemonProcess::Start(const Options& options) {
  std::filesystem::create_directories(options.data_path);
  const std::string address_path = options.data_path + "/reinstated.address";
  std::filesystem::remove(address_path);
  const std::string output_path = options.data_path + ".output";
  std::vector<std::string> arguments = {REINSTATED_BINARY, "--data", options.data_path, "--listen",
                                        "127.0.0.1:0"};
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  ASSIGN_OR_RETURN(
      const pid_t pid,
      Spawn(std::move(arguments), {absl::StrCat("REINSTATE_FAULT_POINTS=", options.fault_points)},
            output_path));
  std::unique_ptr<DaemonProcess> daemon(new DaemonProcess(pid, output_path));
  RETURN_IF_ERROR(daemon->WaitUntilItServes(address_path, options.start_timeout));
  return daemon;
}

absl::Status DaemonProcess::WaitUntilItServes(const std::string& address_path,
                                              absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (absl::Now() < deadline) {
    // It is written whole: to another name first.
    if (std::filesystem::exists(address_path)) {
      address_ = ReadFile(address_path);
      address_.erase(address_.find_last_not_of(" \n") + 1);
      return absl::OkStatus();
    }
    if (const int code = WaitForEnd(kPoll); pid_ == 0) {
      return absl::FailedPreconditionError(
          absl::StrCat("the daemon ended with code ", code, ": ", Output()));
    }
  }
  return absl::DeadlineExceededError(absl::StrCat("the daemon does not serve: ", Output()));
}

DaemonProcess::~DaemonProcess() { Kill(); }

void DaemonProcess::Kill() {
  if (pid_ != 0) {
    kill(pid_, SIGKILL);
    WaitForEnd(absl::Seconds(60));
  }
}

int DaemonProcess::Terminate(absl::Duration timeout) {
  if (pid_ == 0) {
    return -1;
  }
  kill(pid_, SIGTERM);
  return WaitForEnd(timeout);
}

int DaemonProcess::WaitForEnd(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (pid_ != 0) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = 0;
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    if (absl::Now() >= deadline) {
      break;
    }
    absl::SleepFor(kPoll);
  }
  return -1;
}

std::string DaemonProcess::Output() const { return ReadFile(output_path_); }

}  // namespace reinstate

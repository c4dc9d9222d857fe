#include "tests/support/subprocess.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>  // kill: POSIX
#include <spawn.h>
#include <stdlib.h>  // mkdtemp: POSIX
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace reinstate {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(2);

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream contents;
  contents << file.rdbuf();
  return contents.str();
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) {
    pointers.push_back(const_cast<char*>(text.c_str()));
  }
  return pointers;
}

absl::Status CannotStart(const char* program, int error) {
  return absl::InternalError(absl::StrCat("cannot start ", program, ": error ", error));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Subprocess>> Subprocess::Start(const std::vector<std::string>& words,
                                                              const Options& options) {
  std::vector<char*> argv = Pointers(words);
  argv.push_back(nullptr);
  std::vector<char*> environment = Pointers(options.environment);
  for (char** variable = environ; *variable != nullptr; ++variable) {
    environment.push_back(*variable);
  }
  environment.push_back(nullptr);
  if (options.terminal) {
    return StartOnTerminal(std::move(argv), std::move(environment));
  }
  std::unique_ptr<Subprocess> process(new Subprocess());
  process->folder_ = std::filesystem::temp_directory_path().string() + "/subprocess_XXXXXX";
  if (mkdtemp(process->folder_.data()) == nullptr) {
    return absl::InternalError("no temporary folder");
  }
  const std::string in = process->folder_ + "/in";
  std::ofstream(in, std::ios::binary) << options.input;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, in.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, (process->folder_ + "/out").c_str(),
                                   O_WRONLY | O_CREAT, 0600);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (process->folder_ + "/err").c_str(),
                                   O_WRONLY | O_CREAT, 0600);
  const int error =
      posix_spawn(&process->pid_, argv[0], &actions, nullptr, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    process->ended_ = true;
    return CannotStart(argv[0], error);
  }
  return process;
}

absl::StatusOr<std::unique_ptr<Subprocess>> Subprocess::StartOnTerminal(
    std::vector<char*> argv, std::vector<char*> environment) {
  std::unique_ptr<Subprocess> process(new Subprocess());
  winsize size = {};
  size.ws_row = kRows;
  size.ws_col = kColumns;
  process->pid_ = forkpty(&process->terminal_, nullptr, nullptr, &size);
  if (process->pid_ < 0) {
    process->ended_ = true;
    return CannotStart(argv[0], errno);
  }
  if (process->pid_ == 0) {
    execve(argv[0], argv.data(), environment.data());
    _exit(127);
  }
  fcntl(process->terminal_, F_SETFL, O_NONBLOCK);
  fcntl(process->terminal_, F_SETFD, FD_CLOEXEC);
  return process;
}

Subprocess::~Subprocess() {
  if (!ended_) {
    Signal(SIGKILL);
    WaitForEnd();
  }
  if (terminal_ >= 0) {
    close(terminal_);
  }
  if (!folder_.empty()) {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
}

void Subprocess::Signal(int number) const {
  if (!ended_) {
    kill(pid_, number);
  }
}

void Subprocess::Type(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t written = write(terminal_, text.data(), text.size());
    if (written < 0 && errno != EAGAIN) {
      return;
    }
    text.remove_prefix(written < 0 ? 0 : static_cast<size_t>(written));
  }
}

void Subprocess::Resize(int columns, int rows) const {
  winsize size = {};
  size.ws_row = static_cast<unsigned short>(rows);
  size.ws_col = static_cast<unsigned short>(columns);
  ioctl(terminal_, TIOCSWINSZ, &size);
}

std::string Subprocess::TerminalModes() const {
  termios modes = {};
  if (tcgetattr(terminal_, &modes) != 0) {
    return "";
  }
  return absl::StrCat(modes.c_iflag, " ", modes.c_oflag, " ", modes.c_cflag, " ", modes.c_lflag);
}

bool Subprocess::WaitForText(std::string_view text, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  for (;;) {
    const bool ended = WaitForEnd(absl::ZeroDuration()) >= 0;
    if (absl::StrCat(Out(), Err()).find(text) != std::string::npos) {
      return true;
    }
    if (ended || absl::Now() >= deadline) {
      return false;
    }
    absl::SleepFor(kPoll);
  }
}

int Subprocess::WaitForEnd(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (!ended_) {
    ReadTerminal();
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      ended_ = true;
      exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      ReadTerminal();
    } else if (absl::Now() >= deadline) {
      return -1;
    } else {
      absl::SleepFor(kPoll);
    }
  }
  return exit_code_;
}

std::string Subprocess::Out() {
  ReadTerminal();
  return terminal_ >= 0 ? shown_ : ReadFile(folder_ + "/out");
}

std::string Subprocess::Err() { return terminal_ >= 0 ? "" : ReadFile(folder_ + "/err"); }

void Subprocess::ReadTerminal() {
  if (terminal_ < 0) {
    return;
  }
  std::array<char, 4096> buffer = {};
  for (;;) {
    const ssize_t got = read(terminal_, buffer.data(), buffer.size());
    if (got <= 0) {
      return;  // nothing now, or it has closed its end
    }
    shown_.append(buffer.data(), static_cast<size_t>(got));
  }
}

}  // namespace reinstate

#include "server/hooks/hook_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>  // kill: POSIX
#include <spawn.h>
#include <string.h>  // sigabbrev_np: GNU
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// As much as a pipe holds.
constexpr size_t kReadBytes = size_t{64} << 10;
// What is read at most of an output that others still write to after the end of the command.
constexpr int kLastReads = 16;

// A file descriptor that is closed with this object.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) {
      close(number_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int number() const { return number_; }
  int Release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

absl::Status CannotStart(int error) {
  return MakeError(Reason::kHookFailed,
                   absl::StrCat("could not be started: ", std::generic_category().message(error)));
}

// A file in memory that holds `input`: whoever reads nothing of it, or slowly, holds nobody up.
absl::Status FillInput(const std::string& input, int file) {
  size_t written = 0;
  while (file >= 0 && written < input.size()) {
    const ssize_t more = write(file, input.data() + written, input.size() - written);
    if (more < 0 && errno != EINTR) {
      return CannotStart(errno);
    }
    written += more < 0 ? 0 : static_cast<size_t>(more);
  }
  return file >= 0 && lseek(file, 0, SEEK_SET) == 0 ? absl::OkStatus() : CannotStart(errno);
}

// The daemon blocks and ignores signals that programs expect to work.
void SetAttributes(posix_spawnattr_t* attributes) {
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(attributes, &none);
  posix_spawnattr_setsigdefault(attributes, &all);
  posix_spawnattr_setpgroup(attributes, 0);
  posix_spawnattr_setflags(attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

absl::StatusOr<pid_t> Spawn(const std::vector<std::string>& words, int input, int output) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (const std::string& word : words) {
    argv.push_back(const_cast<char*>(word.c_str()));
  }
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  SetAttributes(&attributes);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? absl::StatusOr<pid_t>(pid) : CannotStart(error);
}

absl::Status EndingOf(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) {
    return info.si_status == 0 ? absl::OkStatus()
                               : MakeError(Reason::kHookFailed,
                                           absl::StrCat("ended with exit code ", info.si_status));
  }
  const char* name = sigabbrev_np(info.si_status);
  return MakeError(
      Reason::kHookFailed,
      absl::StrCat("was ended by signal ", info.si_status, name == nullptr ? "" : " (SIG",
                   name == nullptr ? "" : name, name == nullptr ? "" : ")"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<HookProcess>> HookProcess::Start(
    const std::vector<std::string>& words, const std::string& input) {
  const Descriptor event(memfd_create("hook-event", MFD_CLOEXEC));
  RETURN_IF_ERROR(FillInput(input, event.number()));
  std::array<int, 2> ends = {-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return CannotStart(errno);
  }
  Descriptor read_end(ends[0]);
  const Descriptor write_end(ends[1]);
  fcntl(read_end.number(), F_SETFL, O_NONBLOCK);
  ASSIGN_OR_RETURN(const pid_t pid, Spawn(words, event.number(), write_end.number()));
  return std::unique_ptr<HookProcess>(new HookProcess(pid, read_end.Release()));
}

HookProcess::~HookProcess() { Finish().IgnoreError(); }

void HookProcess::ReadSome(absl::Duration wait) {
  pollfd readable = {.fd = read_end_, .events = POLLIN, .revents = 0};
  // Without a descriptor it only waits.
  if (poll(&readable, 1, static_cast<int>(absl::ToInt64Milliseconds(wait))) > 0) {
    Take();
  }
}

bool HookProcess::Take() {
  if (read_end_ < 0) {
    return false;
  }
  std::string text(kReadBytes, '\0');
  const ssize_t got = read(read_end_, text.data(), text.size());
  if (got > 0) {
    output_.Append({text.data(), static_cast<size_t>(got)});
    return true;
  }
  if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    StopReading();
  }
  return false;
}

void HookProcess::StopReading() {
  if (read_end_ >= 0) {
    close(std::exchange(read_end_, -1));
  }
}

bool HookProcess::HasEnded() const {
  siginfo_t info = {};
  // Not taken yet: as long as it is not, no other group can get its number.
  return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
         info.si_pid == pid_;
}

void HookProcess::Signal(int number) const {
  if (!finished_) {
    kill(-pid_, number);
  }
}

absl::Status HookProcess::Finish() {
  if (finished_) {
    return ending_;
  }
  Signal(SIGKILL);
  finished_ = true;
  siginfo_t info = {};
  while (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) != 0) {
    if (errno != EINTR) {
      ending_ = MakeError(Reason::kHookFailed, "ended, and it is not known how");
      break;
    }
  }
  for (int i = 0; i < kLastReads && Take(); ++i) {
  }
  StopReading();
  if (ending_.ok()) {
    ending_ = EndingOf(info);
  }
  return ending_;
}

}  // namespace reinstate

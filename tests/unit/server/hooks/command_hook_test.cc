#include "server/hooks/command_hook.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/base/error.h"
#include "tests/support/script.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

size_t OpenDescriptors() {
  return static_cast<size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

// A pipe with a name, by which it is seen whether those who opened it for writing have all ended.
class Fifo {
 public:
  explicit Fifo(const std::string& path) {
    EXPECT_EQ(mkfifo(path.c_str(), 0600), 0);
    read_end_ = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  }
  ~Fifo() { close(read_end_); }
  Fifo(const Fifo&) = delete;
  Fifo& operator=(const Fifo&) = delete;

  // What was written until the last of them was gone.
  std::string ReadUntilAllAreGone() const {
    std::string text;
    pollfd readable = {.fd = read_end_, .events = POLLIN, .revents = 0};
    while (poll(&readable, 1, 10'000) > 0) {
      std::array<char, 256> buffer;
      const ssize_t got = read(read_end_, buffer.data(), buffer.size());
      if (got <= 0) {
        return text;
      }
      text.append(buffer.data(), static_cast<size_t>(got));
    }
    return text + " and they are still there";
  }

 private:
  int read_end_ = -1;
};

class CommandHookTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) const { return dir_.path() + "/" + name; }

  absl::Status RunCommand(std::vector<std::string> command, const std::string& event = "{}") {
    return RunCommandHook({.name = "h", .command = std::move(command), .timeout = timeout_}, event,
                          should_end_);
  }

  // Of a script, which has `arguments`.
  absl::Status Run(const std::string& script, std::vector<std::string> arguments = {},
                   const std::string& event = "{}") {
    arguments.insert(arguments.begin(),
                     WriteScript(Path(absl::StrCat("script", ++scripts_)), script));
    return RunCommand(std::move(arguments), event);
  }

  static std::string MessageOf(const absl::Status& status) {
    EXPECT_THAT(status, FailsWith(Reason::kHookFailed));
    return std::string(status.message());
  }

  const TempDir dir_;
  absl::Duration timeout_ = absl::Seconds(60);
  ShouldEnd should_end_ = [] { return absl::OkStatus(); };
  int scripts_ = 0;
};

TEST_F(CommandHookTest, GivesTheEventOnStandardInput) {
  const std::string event = absl::StrCat(R"({"reason": ")", std::string(1 << 20, 'r'), R"("})");
  EXPECT_THAT(Run("cat > \"$1\"", {Path("event")}, event), IsOk());
  EXPECT_EQ(ContentsOf(Path("event")), event + "\n");
}

TEST_F(CommandHookTest, GivesArgumentsAsTheyAreWithoutAShell) {
  EXPECT_THAT(Run(R"(printf '%s|' "$@" > ")" + Path("arguments") + "\"",
                  {"a b", "$HOME", "; touch /x", ""}),
              IsOk());
  EXPECT_EQ(ContentsOf(Path("arguments")), "a b|$HOME|; touch /x||");
}

TEST_F(CommandHookTest, FailsWithTheExitCodeAndWhatItPrinted) {
  EXPECT_EQ(MessageOf(Run("echo to the one; echo to the other >&2; exit 3")),
            "ended with exit code 3; it printed: to the one to the other");
  EXPECT_EQ(MessageOf(Run("exit 255")), "ended with exit code 255");
}

TEST_F(CommandHookTest, FailsIfASignalEndsIt) {
  EXPECT_EQ(MessageOf(Run("echo so far; kill -9 $$")),
            "was ended by signal 9 (SIGKILL); it printed: so far");
}

TEST_F(CommandHookTest, KeepsOnlyTheEndOfFiftyMegabytes) {
  const std::string message = MessageOf(
      Run("head -c 25000000 /dev/zero | tr '\\0' x; head -c 25000000 /dev/zero | tr '\\0' y >&2;"
          "echo; echo the end; exit 1"));
  EXPECT_THAT(message, HasSubstr("exit code 1; it printed: …y"));
  EXPECT_THAT(message, EndsWith("y the end"));
  EXPECT_LT(message.size(), 2200);
}

TEST_F(CommandHookTest, FailsIfThereIsNoSuchProgram) {
  EXPECT_EQ(MessageOf(RunCommand({Path("nothing")})),
            "could not be started: No such file or directory");
}

TEST_F(CommandHookTest, FailsIfItIsNotExecutable) {
  const std::string path = WriteScript(Path("plain"), "exit 0");
  ASSERT_EQ(chmod(path.c_str(), 0600), 0);
  EXPECT_EQ(MessageOf(RunCommand({path})), "could not be started: Permission denied");
  EXPECT_EQ(MessageOf(RunCommand({dir_.path()})), "could not be started: Permission denied");
}

TEST_F(CommandHookTest, MayCloseItsInputAtOnce) {
  EXPECT_THAT(Run("exec <&-; exit 0", {}, std::string(1 << 20, 'e')), IsOk());
}

TEST_F(CommandHookTest, MayCloseItsOutputAndGoOn) {
  EXPECT_EQ(MessageOf(Run("echo first; exec >&- 2>&-; sleep 0.1; exit 4")),
            "ended with exit code 4; it printed: first");
}

TEST_F(CommandHookTest, IsKilledWithItsChildrenIfItHangs) {
  const Fifo fifo(Path("alive"));
  timeout_ = absl::Seconds(3);
  const absl::Time begin = absl::Now();
  EXPECT_EQ(MessageOf(Run("exec 3> \"$1\"; echo begun; echo begun >&3; (sleep 600 & sleep 600)",
                          {Path("alive")})),
            "did not end within 3s, and was killed; it printed: begun");
  EXPECT_LT(absl::Now() - begin, absl::Seconds(30));
  EXPECT_EQ(fifo.ReadUntilAllAreGone(), "begun\n");
}

TEST_F(CommandHookTest, HasTimeToTidyUpBeforeItIsKilled) {
  timeout_ = absl::Seconds(3);
  EXPECT_THAT(MessageOf(Run("trap 'echo tidied > \"$1\"; exit 0' TERM; sleep 600 & wait",
                            {Path("tidied")})),
              HasSubstr("did not end within 3s"));
  EXPECT_EQ(ContentsOf(Path("tidied")), "tidied\n");
}

TEST_F(CommandHookTest, IsKilledAlsoIfItTakesNoNoticeOfSigterm) {
  const Fifo fifo(Path("alive"));
  timeout_ = absl::Seconds(3);
  EXPECT_THAT(MessageOf(Run("trap '' TERM; exec 3> \"$1\"; echo begun >&3; "
                            "while :; do sleep 1; done",
                            {Path("alive")})),
              HasSubstr("did not end within 3s"));
  EXPECT_EQ(fifo.ReadUntilAllAreGone(), "begun\n");
}

TEST_F(CommandHookTest, IsKilledWhilePrintingWithoutEnd) {
  timeout_ = absl::Seconds(3);
  const std::string message = MessageOf(Run("exec yes and so on"));
  EXPECT_THAT(message, AllOf(HasSubstr("did not end within 3s"), EndsWith("and so on")));
  EXPECT_LT(message.size(), 2300);
}

TEST_F(CommandHookTest, EndsWithTheCommandAndWhatItLeftRunning) {
  const Fifo fifo(Path("alive"));
  EXPECT_THAT(Run("exec 3> \"$1\"; echo begun >&3; sleep 600 & exit 0", {Path("alive")}), IsOk());
  EXPECT_EQ(fifo.ReadUntilAllAreGone(), "begun\n");
}

TEST_F(CommandHookTest, EndsWhenItIsToldTo) {
  const Fifo fifo(Path("alive"));
  should_end_ = [this] {
    return ContentsOf(Path("begun")).empty() ? absl::OkStatus()
                                             : MakeError(Reason::kShuttingDown, "stop");
  };
  EXPECT_THAT(Run("exec 3> \"$1\"; echo begun > \"$2\"; sleep 600", {Path("alive"), Path("begun")}),
              FailsWith(Reason::kShuttingDown));
  EXPECT_EQ(fifo.ReadUntilAllAreGone(), "");
}

TEST_F(CommandHookTest, LeavesNeitherZombiesNorOpenFiles) {
  const size_t before = OpenDescriptors();
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(Run("exit 0"), IsOk());
    EXPECT_THAT(Run("exit 1"), FailsWith(Reason::kHookFailed));
    EXPECT_THAT(RunCommand({Path("nothing")}), FailsWith(Reason::kHookFailed));
  }
  timeout_ = absl::Milliseconds(200);
  EXPECT_THAT(Run("sleep 600"), FailsWith(Reason::kHookFailed));
  EXPECT_EQ(OpenDescriptors(), before);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST_F(CommandHookTest, DoesNotGetOurOpenFiles) {
  const int secret = fcntl(STDERR_FILENO, F_DUPFD, 200);  // not close-on-exec
  ASSERT_GE(secret, 200);
  EXPECT_EQ(
      MessageOf(Run("ls /proc/self/fd/$1 2> /dev/null && exit 7; exit 8", {absl::StrCat(secret)})),
      "ended with exit code 8");
  close(secret);
}

// As the daemon has them: SIGTERM blocked, SIGPIPE ignored.
TEST_F(CommandHookTest, HasSignalsAsProgramsExpectThem) {
  sigset_t blocked;
  sigset_t earlier;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &earlier);
  void (*const handler)(int) = std::signal(SIGPIPE, SIG_IGN);
  EXPECT_THAT(Run("grep -E '^Sig(Blk|Ign)' /proc/self/status > \"$1\"", {Path("signals")}), IsOk());
  std::signal(SIGPIPE, handler);
  pthread_sigmask(SIG_SETMASK, &earlier, nullptr);
  // But for two signals that the C library keeps for itself.
  EXPECT_THAT(ContentsOf(Path("signals")),
              MatchesRegex("SigBlk:\t0{16}\nSigIgn:\t0{7}[01][08]0{7}\n"));
}

}  // namespace
}  // namespace reinstate

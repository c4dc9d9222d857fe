#include "client/cli/interrupt.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <thread>
#include <utility>

namespace reinstate {
namespace {

constexpr char kSignal = 's';
constexpr char kEnd = 'e';

// The write end of the pipe of the guard that exists, for the handler, which may only do what is
// safe in a signal.
std::atomic<int> handler_fd{-1};

void OnSignal(int /*number*/) {
  const int saved = errno;
  // A full pipe means that the signal is known already.
  [[maybe_unused]] const ssize_t written = write(handler_fd.load(), &kSignal, 1);
  errno = saved;
}

}  // namespace

class InterruptGuard::Impl {
 public:
  explicit Impl(std::function<void()> on_interrupt) : on_interrupt_(std::move(on_interrupt)) {
    if (pipe2(pipe_.data(), O_CLOEXEC) != 0) {
      return;  // Signals then keep their former effect.
    }
    handler_fd = pipe_[1];
    thread_ = std::thread([this] { Listen(); });
    struct sigaction action = {};
    action.sa_handler = OnSignal;
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, &former_int_);
    sigaction(SIGTERM, &action, &former_term_);
  }

  ~Impl() {
    if (!thread_.joinable()) {
      return;
    }
    sigaction(SIGINT, &former_int_, nullptr);
    sigaction(SIGTERM, &former_term_, nullptr);
    [[maybe_unused]] const ssize_t written = write(pipe_[1], &kEnd, 1);
    thread_.join();
    handler_fd = -1;
    close(pipe_[0]);
    close(pipe_[1]);
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

 private:
  void Listen() {
    for (;;) {
      char what = 0;
      const ssize_t got = read(pipe_[0], &what, 1);
      if (got < 0 && errno == EINTR) {
        continue;
      }
      if (got != 1 || what == kEnd) {
        return;
      }
      on_interrupt_();
    }
  }

  const std::function<void()> on_interrupt_;
  std::array<int, 2> pipe_ = {-1, -1};
  std::thread thread_;
  struct sigaction former_int_ = {};
  struct sigaction former_term_ = {};
};

InterruptGuard::InterruptGuard(std::function<void()> on_interrupt)
    : impl_(std::make_unique<Impl>(std::move(on_interrupt))) {}

InterruptGuard::~InterruptGuard() = default;

}  // namespace reinstate

#include "storage/base/periodic_thread.h"

#include <chrono>
#include <utility>

namespace reinstate {

PeriodicThread::PeriodicThread(absl::Duration interval, std::function<void()> work)
    : interval_(interval), work_(std::move(work)), thread_([this] { Run(); }) {}

PeriodicThread::~PeriodicThread() {
  {
    MutexLock lock(&mu_);
    ending_ = true;
    wake_.SignalAll();
  }
  thread_.join();
}

void PeriodicThread::Run() {
  while (WaitForInterval()) {
    work_();
  }
}

bool PeriodicThread::WaitForInterval() {
  const auto due = std::chrono::steady_clock::now() + absl::ToChronoMicroseconds(interval_);
  MutexLock lock(&mu_);
  while (!ending_) {
    const auto left = due - std::chrono::steady_clock::now();
    if (left <= std::chrono::steady_clock::duration::zero()) {
      return true;
    }
    wake_.WaitFor(&mu_, absl::FromChrono(left));
  }
  return false;
}

}  // namespace reinstate

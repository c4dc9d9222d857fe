#include "storage/base/serial_thread.h"

#include <utility>

namespace reinstate {

SerialThread::SerialThread(size_t max_waiting)
    : max_waiting_(max_waiting), thread_([this] { Run(); }) {}

SerialThread::~SerialThread() {
  {
    MutexLock lock(&mu_);
    ending_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

absl::Status SerialThread::Add(std::function<absl::Status()> task) {
  MutexLock lock(&mu_);
  while (failed_.ok() && waiting_.size() >= max_waiting_) {
    changed_.Wait(&mu_);
  }
  if (failed_.ok()) {
    waiting_.push_back(std::move(task));
    changed_.SignalAll();
  }
  return failed_;
}

absl::Status SerialThread::Finish() {
  MutexLock lock(&mu_);
  while (running_ || (failed_.ok() && !waiting_.empty())) {
    changed_.Wait(&mu_);
  }
  return failed_;
}

void SerialThread::Run() {
  MutexLock lock(&mu_);
  while (true) {
    while (!ending_ && (waiting_.empty() || !failed_.ok())) {
      changed_.Wait(&mu_);
    }
    if (ending_) {
      return;
    }
    std::function<absl::Status()> task = std::move(waiting_.front());
    waiting_.pop_front();
    running_ = true;
    mu_.Unlock();
    absl::Status status = task();
    task = nullptr;  // what it holds goes with it
    mu_.Lock();
    running_ = false;
    if (!status.ok()) {
      failed_ = std::move(status);
    }
    changed_.SignalAll();
  }
}

}  // namespace reinstate

#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace reinstate {

// The real daemon, as a process of its own on a free port of the loopback interface. Ended with
// this object. Not thread-safe.
class DaemonProcess {
 public:
  struct Options {
    std::string data_path;               // made if it is not there
    std::vector<std::string> arguments;  // besides --data and --listen
    std::string fault_points;            // as FaultPoints::ArmFromText
    absl::Duration start_timeout = absl::Seconds(60);
  };

  // Starts the daemon and waits until it serves. FAILED_PRECONDITION, with what it printed, if it
  // ended instead; DEADLINE_EXCEEDED.
  static absl::StatusOr<std::unique_ptr<DaemonProcess>> Start(const Options& options);

  ~DaemonProcess();
  DaemonProcess(const DaemonProcess&) = delete;
  DaemonProcess& operator=(const DaemonProcess&) = delete;

  // host:port
  const std::string& address() const { return address_; }
  pid_t pid() const { return pid_; }

  // kill -9; returns once it is gone.
  void Kill();

  // SIGTERM; returns the exit code, or -1 if it did not end in time or by a signal.
  int Terminate(absl::Duration timeout = absl::Seconds(60));

  // Waits for its end. The exit code; -1 if it did not end in time; 128 + the signal that ended it.
  int WaitForEnd(absl::Duration timeout);

  // All that it has printed so far.
  std::string Output() const;

 private:
  DaemonProcess(pid_t pid, std::string output_path)
      : pid_(pid), output_path_(std::move(output_path)) {}

  absl::Status WaitUntilItServes(const std::string& address_path, absl::Duration timeout);

  pid_t pid_;  // 0 once it has ended
  const std::string output_path_;
  std::string address_;
};

}  // namespace reinstate

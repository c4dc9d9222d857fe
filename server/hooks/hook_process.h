#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/hooks/output_tail.h"

namespace reinstate {

// A command that runs as a child, leading a process group of its own. Not thread-safe.
class HookProcess {
 public:
  // Starts words[0], the path of a program, without a shell. It has `input` on its standard input,
  // no other open files of ours, and signals as a program expects them. HOOK_FAILED.
  static absl::StatusOr<std::unique_ptr<HookProcess>> Start(const std::vector<std::string>& words,
                                                            const std::string& input);

  // As Finish.
  ~HookProcess();
  HookProcess(const HookProcess&) = delete;
  HookProcess& operator=(const HookProcess&) = delete;

  // Takes some of what it prints, or waits for it, for at most `wait`.
  void ReadSome(absl::Duration wait);

  // Whether the command itself has ended, though maybe not its group.
  bool HasEnded() const;

  // Sends a signal to the group.
  void Signal(int number) const;

  // Ends the group with SIGKILL, waits for the command, takes what is left of its output. OK if it
  // had ended with exit code 0; HOOK_FAILED says how it ended. May be repeated.
  absl::Status Finish();

  const OutputTail& output() const { return output_; }

 private:
  HookProcess(pid_t pid, int read_end) : pid_(pid), read_end_(read_end) {}

  // Whether there may be more.
  bool Take();
  void StopReading();

  const pid_t pid_;
  int read_end_;  // of its standard output and error; -1 once closed
  OutputTail output_;
  bool finished_ = false;
  absl::Status ending_;
};

}  // namespace reinstate

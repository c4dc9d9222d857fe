#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/api/client.h"
#include "client/cli/console.h"
#include "client/cli/output.h"

namespace reinstate {

// Options that every command has.
struct GlobalOptions {
  std::string address = kDefaultAddress;
  TlsFiles tls;
  std::string actor;  // empty: $USER@host
  std::string timeout = "30s";
  std::string output = "table";
  bool output_given = false;  // else a command may have a format of its own
  bool no_color = false;
};

// What a command works with: one run of the program. Not thread-safe.
class Session {
 public:
  // INVALID_ARGUMENT if the options make no sense.
  static absl::StatusOr<Session> Create(const GlobalOptions& options, Console console);

  const Console& console() const { return *console_; }
  const Output& output() const { return output_; }
  // The time that ages refer to: a command may wait for long before it shows something.
  absl::Time now() const { return absl::Now(); }
  // output(), or that of `fallback` if no format was asked for.
  Output OutputOr(OutputFormat fallback) const;
  // Whether the output is for a person, who likes to be told what to do next.
  bool for_people() const { return output_.format() == OutputFormat::kTable; }

  // The daemon; connects at the first call. UNAVAILABLE.
  absl::StatusOr<ReinstateClient*> Client();

  // `given`, or if that is empty the one store that there is. INVALID_ARGUMENT, with their names,
  // if there are several.
  absl::StatusOr<std::string> StoreOrOnlyOne(const std::string& given);

  // Waits until a restore, plan or job is final, with progress on stderr. When interrupted, says
  // that it goes on and that `come_back` is the command to come back to it. Errors are those of
  // waiting; the outcome is in the result.
  absl::StatusOr<v1::Restore> WaitForRestore(const std::string& id, const std::string& what);
  absl::StatusOr<v1::Plan> WaitForPlan(const std::string& id, const std::string& what);
  absl::StatusOr<v1::Job> WaitForJob(const std::string& id, const std::string& what);

  // `status`, and if waiting for something that goes on was given up: `command` to come back to it.
  static absl::Status WithWayBack(const absl::Status& status, std::string_view command);

  // A line on stderr, for people only.
  void Hint(std::string_view line) const;

 private:
  Session(ClientOptions client_options, Console console, const GlobalOptions& options);

  template <typename Message, typename Wait>
  absl::StatusOr<Message> WaitWithProgress(const std::string& what, const std::string& come_back,
                                           Wait wait);

  ClientOptions client_options_;
  std::unique_ptr<Console> console_;  // at one place, since the output borrows it
  Output output_;
  bool output_given_;
  std::unique_ptr<ReinstateClient> client_;
};

}  // namespace reinstate

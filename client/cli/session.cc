#include "client/cli/session.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/interrupt.h"
#include "client/cli/progress.h"
#include "client/cli/words.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

std::string UserAtHost() {
  const char* user = std::getenv("USER");  // NOLINT(concurrency-mt-unsafe): nobody sets any
  if (user == nullptr || *user == '\0') {
    const passwd* entry = getpwuid(getuid());  // NOLINT(concurrency-mt-unsafe): one thread so far
    user = entry == nullptr ? "unknown" : entry->pw_name;
  }
  std::array<char, 256> host = {};
  gethostname(host.data(), host.size() - 1);
  return absl::StrCat(user, "@", host.data());
}

absl::StatusOr<absl::Duration> ParseTimeout(const std::string& text) {
  absl::Duration timeout;
  double seconds = 0;
  if (absl::SimpleAtod(text, &seconds)) {
    timeout = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, &timeout)) {
    timeout = absl::ZeroDuration();
  }
  if (timeout <= absl::ZeroDuration() || timeout > absl::Hours(24)) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat("--timeout ", text,
                                  " is not a time; give e.g. 30s, 2m or a number of seconds."));
  }
  return timeout;
}

OutputFormat FormatOf(const std::string& name) {
  if (name == "json") {
    return OutputFormat::kJson;
  }
  return name == "csv" ? OutputFormat::kCsv : OutputFormat::kTable;
}

ProgressView ViewOf(const v1::Restore& restore) {
  const bool running = restore.state() == v1::RESTORE_STATE_RUNNING;
  std::string state = running ? WordFor(restore.phase()) : WordFor(restore.state());
  if (!restore.holding_back().empty()) {
    absl::StrAppend(&state, ". ", restore.holding_back());
  }
  const bool only_hooks = HasEnded(restore) && !IsFinal(restore);
  return {.what = "",
          .state = only_hooks ? absl::StrCat(state, ", hooks follow") : state,
          .progress = restore.progress(),
          .moving = running};
}

ProgressView ViewOf(const v1::Plan& plan) {
  return {.what = "",
          .state = plan.state() == v1::PLAN_STATE_RUNNING ? "planning" : WordFor(plan.state()),
          .progress = plan.progress(),
          .moving = plan.state() == v1::PLAN_STATE_RUNNING};
}

ProgressView ViewOf(const v1::Job& job) {
  const bool running = job.state() == v1::JOB_STATE_RUNNING;
  return {.what = "",
          .state = running && !job.progress().step().empty() ? job.progress().step()
                                                             : WordFor(job.state()),
          .progress = job.progress(),
          .moving = running};
}

}  // namespace

absl::StatusOr<Session> Session::Create(const GlobalOptions& options, Console console) {
  ClientOptions client;
  client.address = options.address;
  client.tls = options.tls;
  client.actor = options.actor.empty() ? UserAtHost() : options.actor;
  ASSIGN_OR_RETURN(client.timeout, ParseTimeout(options.timeout));
  console.color = console.color && !options.no_color;
  return Session(std::move(client), std::move(console), options);
}

Session::Session(ClientOptions client_options, Console console, const GlobalOptions& options)
    : client_options_(std::move(client_options)),
      console_(std::make_unique<Console>(std::move(console))),
      output_(console_.get(), FormatOf(options.output)),
      output_given_(options.output_given) {
  client_options_.on_refusal = [console = console_.get(),
                                timeout = client_options_.timeout](const absl::Status&) {
    console->Say(absl::StrCat("The daemon has too many calls waiting; trying again for up to ",
                              absl::FormatDuration(timeout), "."));
  };
  client_options_.on_loss = [console = console_.get(), timeout = client_options_.timeout] {
    console->Say(absl::StrCat("The daemon does not answer; trying again for up to ",
                              absl::FormatDuration(timeout), "."));
  };
}

Output Session::OutputOr(OutputFormat fallback) const {
  return output_given_ ? output_ : Output(console_.get(), fallback);
}

absl::StatusOr<ReinstateClient*> Session::Client() {
  if (client_ == nullptr) {
    auto client = ReinstateClient::Connect(client_options_);
    if (!client.ok() && client.status().code() == absl::StatusCode::kUnavailable) {
      return MakeErrorFromName(
          client.status().code(), ReasonOf(client.status()),
          absl::StrCat(client.status().message(),
                       " Another address is given with --address or REINSTATE_ADDRESS."));
    }
    ASSIGN_OR_RETURN(client_, std::move(client));
  }
  return client_.get();
}

absl::StatusOr<std::string> Session::StoreOrOnlyOne(const std::string& given) {
  if (!given.empty()) {
    return given;
  }
  ASSIGN_OR_RETURN(ReinstateClient * client, Client());
  ASSIGN_OR_RETURN(const std::vector<v1::Store> stores, client->ListStores());
  if (stores.size() == 1) {
    return stores.front().name();
  }
  if (stores.empty()) {
    return MakeError(Reason::kStoreNotFound,
                     "The daemon has no store; register one in its configuration.");
  }
  const std::string names = absl::StrJoin(
      stores, ", ", [](std::string* out, const auto& store) { out->append(store.name()); });
  return MakeError(Reason::kInvalidArgument,
                   absl::StrCat("There are several stores, say which one with --store: ", names));
}

template <typename Message, typename Wait>
absl::StatusOr<Message> Session::WaitWithProgress(const std::string& what,
                                                  const std::string& come_back, Wait wait) {
  ASSIGN_OR_RETURN(ReinstateClient * client, Client());
  ProgressReporter reporter(console_.get());
  ReinstateClient::WaitObserver<Message> observer;
  observer.on_update = [&](const Message& message) {
    ProgressView view = ViewOf(message);
    view.what = what;
    reporter.Show(view);
  };
  observer.on_connection = [&](const absl::Status& status) {
    reporter.Say(status.ok() ? "The daemon answers again."
                             : "The daemon does not answer; waiting for it to come back. What was "
                               "asked for goes on by itself then.");
  };
  const InterruptGuard guard([client] { client->InterruptWaits(); });
  absl::StatusOr<Message> result = wait(client, observer);
  return result.ok() ? result : WithWayBack(result.status(), come_back);
}

absl::Status Session::WithWayBack(const absl::Status& status, std::string_view command) {
  if (ReasonOf(status) != kInterruptedReason && status.code() != absl::StatusCode::kUnavailable) {
    return status;
  }
  return MakeErrorFromName(status.code(), ReasonOf(status),
                           absl::StrCat(status.message(), " To come back to it: ", Absl(command)));
}

absl::StatusOr<v1::Restore> Session::WaitForRestore(const std::string& id,
                                                    const std::string& what) {
  return WaitWithProgress<v1::Restore>(what, absl::StrCat("reinstate restore watch ", id),
                                       [&](ReinstateClient* client, const auto& observer) {
                                         return client->WaitForRestore(id, observer);
                                       });
}

absl::StatusOr<v1::Plan> Session::WaitForPlan(const std::string& id, const std::string& what) {
  return WaitWithProgress<v1::Plan>(what, absl::StrCat("reinstate restore plan --show ", id),
                                    [&](ReinstateClient* client, const auto& observer) {
                                      return client->WaitForPlan(id, observer);
                                    });
}

absl::StatusOr<v1::Job> Session::WaitForJob(const std::string& id, const std::string& what) {
  return WaitWithProgress<v1::Job>(what, absl::StrCat("reinstate job watch ", id),
                                   [&](ReinstateClient* client, const auto& observer) {
                                     return client->WaitForJob(id, observer);
                                   });
}

void Session::Hint(std::string_view line) const {
  if (for_people()) {
    console_->Say(line);
  }
}

}  // namespace reinstate

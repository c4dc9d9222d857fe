#include "server/config/hook_config.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/model/tenant_id.h"

namespace reinstate {
namespace {

constexpr absl::Duration kShortestTimeout = absl::Milliseconds(100);
// A hook before a restore holds a worker meanwhile.
constexpr absl::Duration kLongestTimeout = absl::Hours(1);
constexpr int64_t kMaxRetries = 100;

bool IsProgram(const std::vector<std::string>& command) {
  return command.front().starts_with('/') &&
         std::all_of(command.begin(), command.end(),
                     [](const std::string& word) { return word.find('\0') == std::string::npos; });
}

bool IsUrl(const std::string& url) {
  const size_t host = absl::StartsWith(url, "https://") ? 8 : 7;
  return (absl::StartsWith(url, "http://") || absl::StartsWith(url, "https://")) &&
         url.size() > host && url[host] != '/' &&
         std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < '\x7F'; });
}

void CheckWhatIsRun(const Hook& hook, TomlSection* section) {
  if (hook.command.empty() == hook.url.empty()) {
    section->Complain(hook.url.empty() ? "command" : "url",
                      "is required, or the other one of command and url, and not both.");
  }
  if (!hook.command.empty() && !IsProgram(hook.command)) {
    section->Complain("command",
                      "must be the whole path of a program, and its arguments: [\"/usr/bin/env\", "
                      "\"true\"].");
  }
  if (!hook.url.empty() && !IsUrl(hook.url)) {
    section->Complain("url", "must begin with http:// or https:// and a host.");
  }
}

Hook ReadHook(TomlSection* section) {
  Hook hook;
  std::string when;
  section->Read("name", &hook.name);
  section->ReadChoice("when", {"before", "after"}, &when);
  section->ReadNames("command", &hook.command);
  section->Read("url", &hook.url);
  section->ReadNames("stores", &hook.stores);
  section->Read("timeout", kShortestTimeout, &hook.timeout);
  section->Read("retries", 0, kMaxRetries, &hook.retries);
  section->Read("required", &hook.required);
  section->RefuseOthers();
  hook.when = when == "before" ? Hook::When::kBefore : Hook::When::kAfter;
  if (!IsConfigName(hook.name)) {
    section->Complain("name",
                      "is required: 1 to 63 of a-z, 0-9, _ and -, beginning with a letter.");
  }
  if (hook.timeout > kLongestTimeout) {
    section->Complain("timeout",
                      absl::StrCat("must be at most ", absl::FormatDuration(kLongestTimeout), "."));
  }
  CheckWhatIsRun(hook, section);
  return hook;
}

}  // namespace

void ReadHooks(TomlSection* top, const std::vector<std::string>& stores, std::vector<Hook>* hooks) {
  for (TomlSection& section : top->Tables("hook")) {
    Hook hook = ReadHook(&section);
    if (std::any_of(hooks->begin(), hooks->end(),
                    [&](const Hook& other) { return other.name == hook.name; })) {
      section.Complain("name", absl::StrCat("is used twice: ", Printable(hook.name), "."));
    }
    for (const std::string& store : hook.stores) {
      if (std::find(stores.begin(), stores.end(), store) == stores.end()) {
        section.Complain("stores",
                         absl::StrCat("names ", Printable(store), ", which is none of the stores: ",
                                      absl::StrJoin(stores, ", "), "."));
      }
    }
    hooks->push_back(std::move(hook));
  }
}

}  // namespace reinstate

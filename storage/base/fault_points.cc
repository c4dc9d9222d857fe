#include "storage/base/fault_points.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

void Print(const std::string& place) {
  std::fprintf(stderr, "fault point %s reached\n", place.c_str());
  std::fflush(stderr);
}

[[noreturn]] void HangForEver(const std::string& place) {
  Print(place);
  while (true) {
    pause();
  }
}

absl::StatusOr<FaultPoints::Action> MakeAction(const std::string& place, std::string_view name) {
  if (name == "crash") {
    return []() -> absl::Status { _exit(FaultPoints::kCrashExitCode); };
  }
  if (name == "hang") {
    return [place]() -> absl::Status { HangForEver(place); };
  }
  if (name == "slow") {
    return [] {
      std::this_thread::sleep_for(std::chrono::seconds(1));
      return absl::OkStatus();
    };
  }
  if (name == "trace") {
    return [place] {
      Print(place);
      return absl::OkStatus();
    };
  }
  if (name == "error") {
    return [place] { return MakeError(Reason::kUnavailable, absl::StrCat("fault at ", place)); };
  }
  if (name == "no-space") {
    return [place] { return MakeError(Reason::kNoSpace, absl::StrCat("fault at ", place)); };
  }
  return MakeError(Reason::kInvalidArgument,
                   absl::StrCat("fault action \"", Absl(name),
                                "\" is none of crash, hang, slow, trace, error, no-space"));
}

// Counts the hits and acts at the n-th only, or from it on.
FaultPoints::Action AtHit(uint64_t n, bool from_then_on, FaultPoints::Action action) {
  auto hits = std::make_shared<std::atomic<uint64_t>>(0);
  return [n, from_then_on, hits, action = std::move(action)] {
    const uint64_t hit = ++*hits;
    return hit == n || (from_then_on && hit > n) ? action() : absl::OkStatus();
  };
}

using ArmedPlace = std::pair<std::string, FaultPoints::Action>;

absl::StatusOr<ArmedPlace> ParseItem(absl::string_view item) {
  const std::vector<std::string> parts = absl::StrSplit(item, absl::MaxSplits('=', 1));
  uint64_t n = 1;
  if (parts.size() == 2 && !parts[0].empty()) {
    const std::vector<std::string> action = absl::StrSplit(parts[1], absl::MaxSplits('@', 1));
    if (action.size() == 1 || (absl::SimpleAtoi(action[1], &n) && n > 0)) {
      ASSIGN_OR_RETURN(FaultPoints::Action made, MakeAction(parts[0], action[0]));
      return ArmedPlace(parts[0],
                        AtHit(n, action[0] == "slow" || action[0] == "trace", std::move(made)));
    }
  }
  return MakeError(Reason::kInvalidArgument,
                   absl::StrCat("fault \"", item, "\" is not of the form place=action[@n]"));
}

}  // namespace

absl::Status FaultPoints::ArmFromText(std::string_view text) {
  std::vector<ArmedPlace> armed;
  for (absl::string_view item : absl::StrSplit(Absl(text), ',', absl::SkipEmpty())) {
    ASSIGN_OR_RETURN(ArmedPlace place, ParseItem(item));
    armed.push_back(std::move(place));
  }
  for (ArmedPlace& place : armed) {
    Arm(place.first, std::move(place.second));
  }
  return absl::OkStatus();
}

void FaultPoints::Arm(std::string_view place, Action action) {
  MutexLock lock(&mu_);
  actions_.insert_or_assign(std::string(place), std::move(action));
  any_ = true;
}

void FaultPoints::Disarm(std::string_view place) {
  MutexLock lock(&mu_);
  if (auto found = actions_.find(place); found != actions_.end()) {
    actions_.erase(found);
  }
}

absl::Status FaultPoints::Hit(std::string_view place) {
  if (!any_) {
    return absl::OkStatus();
  }
  Action action;
  {
    MutexLock lock(&mu_);
    auto found = actions_.find(place);
    if (found == actions_.end()) {
      return absl::OkStatus();
    }
    action = found->second;
  }
  return action();
}

}  // namespace reinstate

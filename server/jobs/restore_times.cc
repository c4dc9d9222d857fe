#include "server/jobs/restore_times.h"

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr size_t kKept = 512;    // of a store
constexpr int64_t kRead = 2048;  // of all stores, at most
constexpr int64_t kPage = 128;

// Nothing of what was settled by a person: that took as long as the person did.
std::optional<BatchEta::Sample> SampleOf(const state::RestoreRecord& restore) {
  const bool ended_well = restore.state() == state::SUCCEEDED || restore.state() == state::UNDONE;
  if (!ended_well || !restore.resolved_by().empty() || restore.started_us() == 0 ||
      restore.finished_us() < restore.started_us()) {
    return std::nullopt;
  }
  return BatchEta::Sample{.bytes = restore.size_bytes(),
                          .took = absl::Microseconds(restore.finished_us() - restore.started_us())};
}

std::string StoresText(const std::vector<std::string>& stores) {
  return absl::StrCat(stores.size() == 1 ? "store " : "stores ", absl::StrJoin(stores, " and "));
}

}  // namespace

absl::Status RestoreTimes::Load(const StateStore& state) {
  std::string after;
  for (int64_t read = 0; read < kRead; read += kPage) {
    ASSIGN_OR_RETURN(const auto page, state.ListRestores({}, after, kPage));
    MutexLock lock(&mu_);
    for (const state::RestoreRecord& restore : page) {
      std::deque<Run>& runs = runs_[{restore.order().store(), !restore.order().undo_of().empty()}];
      const auto sample = SampleOf(restore);
      if (sample.has_value() && runs.size() < kKept) {
        runs.push_front({*sample, restore.order().batch()});
      }
    }
    if (static_cast<int64_t>(page.size()) < kPage) {
      break;
    }
    after = page.back().id();
  }
  return absl::OkStatus();
}

void RestoreTimes::RestoreEnded(const state::RestoreRecord& restore) {
  const auto sample = SampleOf(restore);
  if (!sample.has_value()) {
    return;
  }
  MutexLock lock(&mu_);
  std::deque<Run>& runs = runs_[{restore.order().store(), !restore.order().undo_of().empty()}];
  runs.push_back({*sample, restore.order().batch()});
  if (runs.size() > kKept) {
    runs.pop_front();
  }
}

RestoreTimes::Earlier RestoreTimes::Of(const std::vector<std::string>& stores, bool undo,
                                       const std::string& but_of) const {
  Earlier earlier;
  MutexLock lock(&mu_);
  for (const std::string& store : stores) {
    const size_t before = earlier.samples.size();
    if (const auto runs = runs_.find({store, undo}); runs != runs_.end()) {
      for (const Run& run : runs->second) {
        if (but_of.empty() || run.batch != but_of) {
          earlier.samples.push_back(run.sample);
        }
      }
    }
    (earlier.samples.size() > before ? earlier.measured : earlier.unmeasured).push_back(store);
  }
  return earlier;
}

std::string UnmeasuredText(const RestoreTimes::Earlier& earlier, bool undo) {
  return absl::StrCat("no ", undo ? "undo" : "restore", " of ", StoresText(earlier.unmeasured),
                      " has been measured yet");
}

std::string BasisText(const RestoreTimes::Earlier& earlier, bool undo) {
  const size_t count = earlier.samples.size();
  const std::string what = undo ? "undo" : "restore";
  return absl::StrCat(
      "by the last ", count == 1 ? what : absl::StrCat(count, " ", what, "s"), " of ",
      StoresText(earlier.measured),
      earlier.unmeasured.empty() ? "" : absl::StrCat("; ", UnmeasuredText(earlier, undo)));
}

}  // namespace reinstate

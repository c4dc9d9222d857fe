#include "server/jobs/batch_outlook.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace reinstate {
namespace {

bool IsUndo(const state::BatchRecord& batch) { return !batch.order().undo_of().empty(); }

// Nothing is said of the time of what has ended, nor of a dry run before it is known what is to be
// restored.
bool HasOutlook(const BatchView& view) {
  if (view.record.order().dry_run()) {
    const auto planned = view.counts[static_cast<size_t>(BatchLineState::kSucceeded)];
    return view.record.state() == state::BATCH_PLANNED && planned > 0;
  }
  return !HasEnded(view.record.state());
}

std::string BasisText(const BatchView& view, const RestoreTimes::Earlier& earlier) {
  if (view.eta.own >= 1) {
    return "";
  }
  if (earlier.samples.empty()) {
    return UnmeasuredText(earlier, IsUndo(view.record));
  }
  return absl::StrCat(view.eta.own > 0 ? "by its own restores so far and " : "",
                      BasisText(earlier, IsUndo(view.record)));
}

}  // namespace

BatchOutlook::Basis BatchOutlook::BasisFor(const state::BatchRecord& batch) const {
  if (HasEnded(batch.state()) && batch.state() != state::BATCH_PLANNED) {
    return {};
  }
  std::vector<std::string> stores;
  for (const state::BatchStorePoint& point : batch.points()) {
    stores.push_back(point.store());
  }
  return {.lanes = restores_->Lanes(stores),
          .earlier = times_->Of(stores, IsUndo(batch), /*but_of=*/batch.id())};
}

void BatchOutlook::Add(const BatchBoard& board, const Basis& basis, absl::Time since,
                       BatchView* view) const {
  if (!HasOutlook(*view)) {
    return;
  }
  const absl::Time now = clock_->Now();
  const bool runs = view->record.state() == state::BATCH_RUNNING;
  view->eta = board.Eta(basis.lanes, runs ? since : now, now, basis.earlier.samples);
  view->before_the_last = board.BeforeTheLast();
}

void BatchOutlook::Complete(const Basis& basis, BatchView* view) const {
  if (!HasOutlook(*view)) {
    return;
  }
  view->eta_basis = BasisText(*view, basis.earlier);
  std::string at_least;
  // What is queued ends no sooner than its store lets the last of it begin.
  for (const auto& [store, before] : view->before_the_last) {
    const absl::Duration wait = restores_->HeldUntil(store, before) - clock_->Now();
    if (wait == absl::InfiniteDuration() || wait <= view->eta.low) {
      continue;
    }
    at_least = absl::StrCat("as long as store ", store, " holds the last one back");
    view->eta.low = wait;
    view->eta.high = view->eta.known ? std::max(view->eta.high, wait) : absl::InfiniteDuration();
    view->eta.known = true;
  }
  if (!at_least.empty() && !view->eta_basis.empty()) {
    view->eta_basis = absl::StrCat(at_least, "; ", view->eta_basis);
  }
}

}  // namespace reinstate

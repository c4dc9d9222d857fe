#include "server/hooks/hook_event.h"

#include <cstdint>
#include <nlohmann/json.hpp>

#include "absl/time/time.h"

namespace reinstate {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr char kTimeFormat[] = "%Y-%m-%dT%H:%M:%E*SZ";

const char* ModeName(state::Mode mode) {
  switch (mode) {
    case state::OVERWRITE:
      return "overwrite";
    case state::MIRROR:
      return "mirror";
    default:
      return "create-missing";
  }
}

Json RowsOf(const state::PlanSummary& plan) {
  int64_t inserted = 0;
  int64_t replaced = 0;
  int64_t deleted = 0;
  for (const state::TableSummary& table : plan.tables()) {
    inserted += table.inserted();
    replaced += table.replaced();
    deleted += table.deleted();
  }
  return {{"inserted", inserted}, {"replaced", replaced}, {"deleted", deleted}};
}

void AddWhat(const state::RestoreOrder& order, Json* event) {
  if (!order.undo_of().empty()) {
    (*event)["undo_of"] = order.undo_of();
    return;
  }
  (*event)["mode"] = ModeName(order.mode());
  const absl::Time instant = absl::FromUnixMicros(order.point().instant_us());
  (*event)["point"] = {{"requested", order.point().requested()},
                       {"snapshot", order.point().snapshot()},
                       {"instant", absl::FormatTime(kTimeFormat, instant, absl::UTCTimeZone())}};
}

}  // namespace

std::string HookEvent(const Hook& hook, const state::RestoreRecord& restore) {
  const state::RestoreOrder& order = restore.order();
  const bool after = hook.when == Hook::When::kAfter;
  Json event = {{"version", kVersion},
                {"hook", hook.name},
                {"when", after ? "after" : "before"},
                {"restore", restore.id()},
                {"kind", order.undo_of().empty() ? "restore" : "undo"},
                {"batch", order.batch()},
                {"store", order.store()},
                {"tenant", order.tenant()},
                {"label", restore.label()}};
  AddWhat(order, &event);
  event["state"] = state::JobState_Name(after ? restore.state() : state::RUNNING);
  if (restore.state() == state::SUCCEEDED || restore.state() == state::UNDONE) {
    event["rows"] = RowsOf(restore.plan());
  }
  if (after && restore.has_failure()) {
    event["failure"] = {{"reason", restore.failure().reason()}};
  }
  event["actor"] = {{"name", order.actor().name()}, {"verified", order.actor().verified()}};
  event["reason"] = order.reason();
  event["reference"] = order.reference();
  return event.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace reinstate

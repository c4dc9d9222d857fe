#include "storage/live/postgres/waiter_watch.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// The end of a session waits for a look.
constexpr absl::Duration kLookTimeout = absl::Seconds(10);

PgOptions ForLooks(PgOptions options) {
  options.application_name = "reinstate watch";
  options.silence_timeout = kLookTimeout;
  return options;
}

std::string ArrayOf(const std::vector<int>& pids) {
  return absl::StrCat("{", absl::StrJoin(pids, ","), "}");
}

}  // namespace

WaiterWatch::WaiterWatch(PgOptions connection, absl::Duration give_way_after)
    : connecting_(ForLooks(std::move(connection))), give_way_after_(give_way_after) {
  const absl::Duration interval =
      std::clamp(give_way_after_ / 3, absl::Milliseconds(20), absl::Seconds(1));
  thread_ = std::make_unique<PeriodicThread>(interval, [this] { Watch(); });
}

WaiterWatch::~WaiterWatch() {
  closing_ = true;
  thread_ = nullptr;
}

void WaiterWatch::Begin(std::vector<int> pids) {
  MutexLock lock(&mu_);
  pids_ = std::move(pids);
  ++watches_;
  gave_way_ = absl::OkStatus();
}

absl::Status WaiterWatch::End() {
  MutexLock lock(&mu_);
  pids_.clear();
  while (ending_) {
    ended_.Wait(&mu_);
  }
  return gave_way_;
}

absl::Status WaiterWatch::Explain(const absl::Status& status) const {
  MutexLock lock(&mu_);
  return status.ok() || gave_way_.ok() ? status : gave_way_;
}

// A failure to look is no reason to give way; the next look makes a new connection.
void WaiterWatch::Watch() {
  if (!Look().ok()) {
    watcher_ = nullptr;
  }
}

absl::Status WaiterWatch::Look() {
  std::vector<int> pids;
  int64_t watch = 0;
  {
    MutexLock lock(&mu_);
    pids = pids_;
    watch = watches_;
  }
  if (pids.empty()) {
    return absl::OkStatus();
  }
  if (watcher_ == nullptr) {
    ASSIGN_OR_RETURN(watcher_, PgConnection::Connect(connecting_, [this] {
                       return closing_ ? MakeError(Reason::kCancelled, "the session ends")
                                       : absl::OkStatus();
                     }));
  }
  ASSIGN_OR_RETURN(
      const PgResult waiting,
      watcher_->Query("look who waits behind the restore",
                      "SELECT count(*), coalesce((extract(epoch FROM pg_catalog.clock_timestamp() "
                      "- min(l.waitstart)) * 1000)::bigint, 0) FROM pg_catalog.pg_locks l "
                      "WHERE NOT l.granted AND l.locktype = 'relation' AND "
                      "pg_catalog.pg_blocking_pids(l.pid) && $1::int[]",
                      {ArrayOf(pids)}));
  const absl::Duration waited = absl::Milliseconds(waiting.GetInt(0, 1));
  if (waited < give_way_after_) {
    return absl::OkStatus();
  }
  {
    MutexLock lock(&mu_);
    if (pids_.empty() || watches_ != watch) {
      return absl::OkStatus();
    }
    pids_.clear();
    ending_ = true;
    gave_way_ = MakeError(
        Reason::kLiveChanged,
        absl::StrCat("the restore gave way after ", absl::ToInt64Seconds(waited), " s to ",
                     waiting.GetInt(0, 0),
                     " sessions of the database that waited for a table behind it, such as an "
                     "ALTER TABLE"));
  }
  absl::Status ended = EndThem(pids);
  MutexLock lock(&mu_);
  ending_ = false;
  ended_.SignalAll();
  return ended;
}

// By their name too: the number of a backend that is gone may be somebody else's. One that blocks
// nobody is left alone.
absl::Status WaiterWatch::EndThem(const std::vector<int>& pids) {
  return watcher_
      ->Query("give way",
              "SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a "
              "WHERE a.pid = ANY ($1::int[]) AND a.application_name LIKE 'reinstate%' AND EXISTS "
              "(SELECT FROM pg_catalog.pg_locks l WHERE NOT l.granted AND l.locktype = 'relation' "
              "AND a.pid = ANY (pg_catalog.pg_blocking_pids(l.pid)))",
              {ArrayOf(pids)})
      .status();
}

}  // namespace reinstate

#pragma once

#include <set>
#include <string>

#include "absl/time/time.h"
#include "storage/base/clock.h"
#include "storage/base/fault_points.h"
#include "storage/live/postgres/health_limits.h"
#include "storage/live/postgres/map_config.h"
#include "storage/live/postgres/pg_connection.h"

namespace reinstate {

// What a PostgresStore is told.
struct PostgresStoreOptions {
  PgOptions connection;  // the application's name is set by the store
  MapConfig map;

  // Names of tables whose ENABLE ALWAYS or REPLICA triggers and rules may fire in a restore: they
  // could send e-mails or reach another tenant.
  std::set<std::string> may_fire;

  // A superuser can change anything, so it is refused unless this says that it is meant.
  bool allow_superuser = false;

  // How long other sessions may wait behind a cut or a restore, e.g. an ALTER TABLE, before it
  // gives way: all of the application may be waiting behind them.
  absl::Duration give_way_after = absl::Seconds(3);

  PgHealthLimits health;

  // How long the server may be silent during statements that read whole tables.
  absl::Duration scan_timeout = absl::Hours(2);

  const Clock* clock = Clock::System();
  FaultPoints* faults = nullptr;  // live.open_cut, live.cut_next and those of sessions; optional
};

}  // namespace reinstate

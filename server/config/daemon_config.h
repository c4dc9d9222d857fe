#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/config/postgres_config.h"
#include "server/hooks/hook.h"
#include "storage/history/retention.h"
#include "storage/history/snapshot_info.h"

namespace reinstate {

// The store that is there if the config names none.
inline constexpr char kDefaultStore[] = "main";

// A store to serve: one [[store]].
struct StoreConfig {
  std::string name;                  // 1 to 63 of [a-z0-9_-], beginning with a letter
  std::string adapter = "embedded";  // or "postgres", "remote"
  std::string path;                  // embedded: its folder; empty: <data>/stores/<name>
  std::string address;               // remote: where it serves LiveStoreService
  std::string remote_name;           // remote: its name there; empty: the same
  std::string ca;                    // remote: PEM file of who vouches for it; empty: no TLS
  std::string certificate;           // remote: what the daemon shows to it, PEM file
  std::string key;
  std::string label_table = "tenant";  // embedded: the table whose payloads are labels
  PostgresConfig postgres;
  int64_t max_running_restores = 4;
  absl::Duration snapshot_every = absl::ZeroDuration();  // zero: never by itself
  RetentionPolicy retention;
};

// Stores over which one site spans: one [[group]].
struct GroupConfig {
  std::string name;                 // as of a store
  std::vector<std::string> stores;  // in the order in which they are restored
  // The tenant's id in a store, with {id} for the one in the group; where none is said, that one.
  std::map<std::string, std::string> tenants;
};

// PEM files. All empty: no TLS.
struct TlsConfig {
  std::string certificate;  // the daemon's, with its chain
  std::string key;
  std::string client_ca;  // clients must have a certificate of this one; empty: they need none

  bool enabled() const { return !certificate.empty(); }
};

struct LogConfig {
  std::string level = "info";   // trace, debug, info, warn, error
  std::string format = "text";  // or "json": one object a line
  std::string file;             // empty: stderr
};

struct MetricsConfig {
  std::string listen;     // host:port of the endpoint for Prometheus; empty: there is none
  bool insecure = false;  // on other addresses than loopback: it has neither TLS nor passwords
};

// All that the daemon can be told, with the defaults of a daemon that is told nothing.
// deploy/reinstated.toml documents each for people.
struct DaemonConfig {
  std::string data;  // the folder of state and history; empty: DefaultDataPath()
  std::vector<std::string> listen = {"127.0.0.1:7420"};  // host:port or unix:<path>
  bool insecure = false;  // listen on other addresses than loopback without TLS
  absl::Duration shutdown_timeout = absl::Seconds(30);
  TlsConfig tls;
  LogConfig log;
  MetricsConfig metrics;

  int64_t restore_workers = 0;  // 0: DefaultRestoreWorkers()
  int64_t call_workers = 8;
  int64_t snapshot_readers = 2;

  int64_t snapshot_memory_bytes = 256LL << 20;
  int64_t restore_memory_bytes = 8LL << 20;  // each worker
  int64_t block_cache_bytes = 64LL << 20;    // of the history
  int64_t state_reserve_bytes = 64LL << 20;  // of the disk, kept back for the state

  absl::Duration lock_timeout = absl::Seconds(10);
  absl::Duration commit_timeout = absl::Seconds(60);
  int64_t max_attempts = 6;
  absl::Duration undo_validity = absl::Hours(24 * 30);
  absl::Duration aging = absl::Minutes(10);

  int64_t max_batch_lines = 10'000;
  // How long it is watched whether tenants of a new batch still lose rows; zero: not at all.
  absl::Duration shrink_watch = absl::Seconds(2);

  CollapseThresholds collapse;
  std::vector<GroupConfig> groups;
  std::vector<StoreConfig> stores;  // never empty after Complete
  std::vector<Hook> hooks;          // in the order of the file
};

// $REINSTATE_DATA; else /var/lib/reinstate for root; else ~/.local/share/reinstate.
std::string DefaultDataPath();

// As many as this machine has processors, two at least and four at most: more restores at once
// would only take each other's time, and that of a database beside them.
int64_t DefaultRestoreWorkers();

// Whether `address` can be reached from this machine only.
bool IsLocalAddress(const std::string& address);

// Puts in what was left open: the data folder, the number of workers, paths of stores, and the
// embedded store "main" if there is no store. CONFIG_INVALID for what does not go together:
// addresses that others can reach without TLS, or where metrics would be.
absl::Status Complete(DaemonConfig* config);

}  // namespace reinstate

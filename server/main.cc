// reinstated: the daemon. The only place that names concrete adapters.

#include <malloc.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/config/config_file.h"
#include "server/config/daemon_config.h"
#include "server/daemon.h"
#include "server/log.h"
#include "storage/base/error.h"
#include "storage/base/fault_points.h"
#include "storage/base/status_macros.h"
#include "storage/live/postgres/conninfo.h"
#include "storage/live/postgres/postgres_store.h"
#include "storage/live/remote/remote_store.h"
#include "storage/live/rocksdb/embedded_store.h"

namespace reinstate {
namespace {

constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

struct CommandLine {
  std::string config_file;
  std::string data;
  std::vector<std::string> listen;
  bool check_config = false;
  bool accept_history = false;
  std::string fault_points;
};

void DescribeOptions(CommandLine* line, CLI::App* app) {
  app->set_version_flag("--version", "reinstated " REINSTATE_VERSION);
  app->add_option("--config", line->config_file,
                  "The configuration (TOML). Without one it serves the embedded store 'main'.");
  app->add_option("--data", line->data, "The folder of state, history and embedded stores.");
  app->add_option("--listen", line->listen, "Where to serve: host:port or unix:<path>.");
  app->add_flag("--check-config", line->check_config,
                "Only read the configuration, and say what is wrong with it.");
  app->add_flag("--accept-history", line->accept_history,
                "Go on with a history that does not fit the state, after one of them was lost.");
  // For tests: what is to go wrong where, as FaultPoints::ArmFromText says.
  app->add_option("--fault-points", line->fault_points)
      ->envname("REINSTATE_FAULT_POINTS")
      ->group("");
  app->footer("Example: reinstated --data /srv/reinstate --listen 127.0.0.1:7420");
}

absl::StatusOr<DaemonConfig> ReadConfig(const CommandLine& line) {
  DaemonConfig config;
  if (!line.config_file.empty()) {
    ASSIGN_OR_RETURN(config, ReadConfigFile(line.config_file));
  }
  if (!line.data.empty()) {
    config.data = line.data;
  }
  if (!line.listen.empty()) {
    config.listen = line.listen;
  }
  RETURN_IF_ERROR(Complete(&config));
  return config;
}

absl::StatusOr<OpenedStore> OpenEmbedded(const StoreConfig& store, FaultPoints* faults) {
  EmbeddedStoreOptions options;
  options.path = store.path;
  options.label_table = store.label_table;
  options.faults = faults;
  ASSIGN_OR_RETURN(std::unique_ptr<EmbeddedStore> embedded, EmbeddedStore::Open(options));
  OpenedStore opened;
  opened.records = embedded.get();
  opened.live = std::move(embedded);
  return opened;
}

absl::StatusOr<OpenedStore> OpenRemote(const StoreConfig& store) {
  RemoteStoreOptions options;
  options.address = store.address;
  options.store = store.remote_name;
  options.ca_file = store.ca;
  options.certificate_file = store.certificate;
  options.key_file = store.key;
  OpenedStore opened;
  ASSIGN_OR_RETURN(opened.live, RemoteStore::Create(options));
  return opened;
}

MapConfig TenantMapOf(const PostgresConfig& config) {
  MapConfig map;
  map.tenant_table = config.tenant_table;
  map.tenant_key = config.tenant_key;
  map.tenant_columns = config.tenant_columns;
  map.label_columns = config.labels;
  map.shared = config.shared;
  map.excluded = config.excluded;
  map.owner_expressions = config.owner;
  map.ownerless = config.ownerless;
  map.orphans = config.orphans;
  for (const PostgresReference& reference : config.references) {
    map.references.push_back({.table = reference.table,
                              .columns = reference.columns,
                              .parent = reference.parent,
                              .parent_columns = reference.parent_columns});
  }
  return map;
}

PgHealthLimits HealthLimitsOf(const PostgresHealthConfig& config) {
  PgHealthLimits limits;
  limits.max_wal_bytes_per_second = config.max_wal_bytes_per_second;
  limits.max_replication_lag_bytes = config.max_replication_lag_bytes;
  limits.min_slot_headroom_bytes = config.min_slot_headroom_bytes;
  limits.max_commit_latency = config.max_commit_latency;
  limits.max_sessions_waiting = config.max_sessions_waiting;
  return limits;
}

absl::StatusOr<OpenedStore> OpenPostgres(const StoreConfig& store, FaultPoints* faults) {
  const PostgresConfig& config = store.postgres;
  PostgresStoreOptions options;
  ASSIGN_OR_RETURN(options.connection.conninfo,
                   MakeConninfo({.conninfo = config.conninfo,
                                 .service = config.service,
                                 .host = config.host,
                                 .port = config.port,
                                 .database = config.database,
                                 .user = config.user,
                                 .password_file = config.password_file}));
  options.connection.search_path = config.search_path;
  options.map = TenantMapOf(config);
  options.may_fire = {config.may_fire.begin(), config.may_fire.end()};
  options.allow_superuser = config.allow_superuser;
  options.health = HealthLimitsOf(config.health);
  options.faults = faults;
  OpenedStore opened;
  opened.live = PostgresStore::Create(std::move(options));
  return opened;
}

absl::StatusOr<OpenedStore> OpenStore(const StoreConfig& store, FaultPoints* faults) {
  if (store.adapter == "embedded") {
    return OpenEmbedded(store, faults);
  }
  if (store.adapter == "postgres") {
    return OpenPostgres(store, faults);
  }
  if (store.adapter == "remote") {
    return OpenRemote(store);
  }
  return MakeError(Reason::kConfigInvalid,
                   absl::StrCat("There is no adapter ", store.adapter, "."));
}

int Complain(const absl::Status& status, int exit_code) {
  std::fprintf(stderr, "reinstated: %s\n", std::string(status.message()).c_str());
  return exit_code;
}

// Blocked in every thread, so that only this one takes them.
sigset_t BlockEndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

// Waits for the first; a second one ends the process at once, as kill -9 would.
int WaitForEndSignal(const sigset_t& signals) {
  int signal = 0;
  sigwait(&signals, &signal);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  return signal;
}

int Serve(DaemonConfig config, const CommandLine& line) {
  FaultPoints faults;
  if (const absl::Status armed = faults.ArmFromText(line.fault_points); !armed.ok()) {
    return Complain(armed, kUsage);
  }
  // What the customers' data is in is for this user alone.
  umask(S_IRWXG | S_IRWXO);
  const sigset_t signals = BlockEndSignals();
  DaemonOptions options;
  options.config = std::move(config);
  options.version = REINSTATE_VERSION;
  options.accept_history = line.accept_history;
  options.faults = &faults;
  options.open_store = [&faults](const StoreConfig& store) { return OpenStore(store, &faults); };
  const absl::StatusOr<std::unique_ptr<Daemon>> daemon = Daemon::Start(std::move(options));
  if (!daemon.ok()) {
    spdlog::critical("cannot start reason={}", ReasonOf(daemon.status()));
    return Complain(daemon.status(), kFailed);
  }
  const int signal = WaitForEndSignal(signals);
  spdlog::info("shutting down signal={}", signal);
  (*daemon)->Shutdown();
  return kOk;
}

int Main(int argc, char** argv) {
  CommandLine line;
  CLI::App app("The daemon of Reinstate: puts back one customer's data in a shared, live store.");
  DescribeOptions(&line, &app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kUsage;
  }
  absl::StatusOr<DaemonConfig> config = ReadConfig(line);
  if (!config.ok()) {
    return Complain(config.status(), kUsage);
  }
  if (line.check_config) {
    std::printf("The configuration is valid.\n");
    return kOk;
  }
  if (const absl::Status log = SetUpLog(config->log); !log.ok()) {
    return Complain(log, kFailed);
  }
  return Serve(*std::move(config), line);
}

}  // namespace
}  // namespace reinstate

int main(int argc, char** argv) {
  // Blocks of a database are about 1 MiB and live short. By default each would be mapped and
  // unmapped anew, or the memory given back in between, and touching it again costs more than
  // reading it.
  mallopt(M_MMAP_THRESHOLD, 8 << 20);   // NOLINT(concurrency-mt-unsafe): before any thread
  mallopt(M_TRIM_THRESHOLD, 32 << 20);  // NOLINT(concurrency-mt-unsafe): before any thread
  // We throw nothing; a library may, e.g. for want of memory.
  try {
    return reinstate::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "reinstated: %s\n", error.what());
    return EXIT_FAILURE;
  }
}

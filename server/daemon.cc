#include "server/daemon.h"

#include <grpcpp/impl/service_type.h>
#include <spdlog/spdlog.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/history_opening.h"
#include "server/jobs/batch_manager.h"
#include "server/jobs/history_jobs.h"
#include "server/jobs/restore_manager.h"
#include "server/jobs/store_registry.h"
#include "server/metrics/metrics.h"
#include "server/metrics/metrics_server.h"
#include "server/metrics/store_metrics.h"
#include "server/restore/restore_engine.h"
#include "server/rpc/call_gate.h"
#include "server/rpc/live_store_service.h"
#include "server/rpc/rpc_pool.h"
#include "server/rpc/rpc_server.h"
#include "server/rpc/services.h"
#include "server/rpc/store_monitor.h"
#include "server/snapshot/store_lineages.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/tenant_id.h"
#include "storage/state/state_store.h"

namespace reinstate {
namespace {

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    return MakeError(Reason::kUnavailable,
                     absl::StrCat("Cannot make the folder ", path, ": ", error.message(),
                                  ". Name another one with --data, or run as a user who may."));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadPem(const std::string& path) {
  if (path.empty()) {
    return std::string();
  }
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file || text.str().empty()) {
    return MakeError(Reason::kConfigInvalid, absl::StrCat("Cannot read ", path, "."));
  }
  return text.str();
}

class DaemonImpl final : public Daemon {
 public:
  explicit DaemonImpl(DaemonOptions options) : options_(std::move(options)) {}
  ~DaemonImpl() override { Shutdown(); }
  DaemonImpl(const DaemonImpl&) = delete;
  DaemonImpl& operator=(const DaemonImpl&) = delete;

  absl::Status Start();

  const std::vector<std::string>& addresses() const override { return server_->addresses(); }
  void Shutdown() override;

 private:
  const DaemonConfig& config() const { return options_.config; }
  std::string InData(const std::string& name) const {
    return absl::StrCat(config().data, "/", name);
  }

  absl::Status OpenState();
  absl::Status OpenHistoryOfState();
  absl::Status OpenStores();
  absl::Status OpenStore(const StoreConfig& store);
  absl::Status SettleHistory();
  void MakeMetrics();
  absl::Status MakeJobs();
  absl::Status StartJobs();
  absl::Status Serve();
  absl::Status ServeMetrics();
  void MakeServices();
  LiveStoreFinder EmbeddedStores() const;
  absl::StatusOr<RpcServerOptions> ServerOptions() const;
  absl::Status WriteAddress() const;
  std::map<std::string, StoreSchedule> Schedules() const;
  std::vector<StoreGroup> Groups() const;

  const DaemonOptions options_;

  // Each borrows from those before it, so that they are destroyed in the opposite order.
  std::unique_ptr<StateStore> state_;
  OpenedHistory history_;
  std::vector<OpenedStore> opened_stores_;
  std::unique_ptr<StoreRegistry> stores_;
  std::unique_ptr<StoreMonitor> monitor_;
  std::unique_ptr<Metrics> metrics_;  // null if nobody is to see them
  std::unique_ptr<RestoreEngine> engine_;
  std::unique_ptr<RestoreManager> restores_;
  std::unique_ptr<BatchManager> batches_;
  std::unique_ptr<HistoryJobs> history_jobs_;
  std::unique_ptr<MetricsServer> metrics_server_;
  std::unique_ptr<RpcPool> pool_;
  std::unique_ptr<CallGate> gate_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<LiveStoreServiceImpl> live_stores_;
  std::unique_ptr<RpcServer> server_;
  bool shut_down_ = false;
};

absl::Status DaemonImpl::Start() {
  RETURN_IF_ERROR(MakeFolder(InData("stores")));
  RETURN_IF_ERROR(MakeFolder(InData("imports")));
  RETURN_IF_ERROR(OpenState());
  RETURN_IF_ERROR(OpenHistoryOfState());
  RETURN_IF_ERROR(OpenStores());
  RETURN_IF_ERROR(SettleHistory());
  MakeMetrics();
  RETURN_IF_ERROR(MakeJobs());
  RETURN_IF_ERROR(StartJobs());
  RETURN_IF_ERROR(ServeMetrics());
  RETURN_IF_ERROR(Serve());
  return WriteAddress();
}

// First, since it also keeps a second daemon out.
absl::Status DaemonImpl::OpenState() {
  StateOptions options;
  options.path = InData("state");
  options.faults = options_.faults;
  options.reserve_bytes = config().state_reserve_bytes;
  ASSIGN_OR_RETURN(state_, StateStore::Open(options));
  spdlog::info("state opened id={} new={}", Printable(state_->id()), state_->created());
  return absl::OkStatus();
}

absl::Status DaemonImpl::OpenHistoryOfState() {
  HistoryOptions options;
  options.path = InData("history");
  options.memory_budget_bytes = config().snapshot_memory_bytes;
  options.block_cache_bytes = config().block_cache_bytes;
  options.faults = options_.faults;
  ASSIGN_OR_RETURN(history_, OpenHistory(options, *state_, options_.accept_history));
  return absl::OkStatus();
}

absl::Status DaemonImpl::OpenStores() {
  stores_ = std::make_unique<StoreRegistry>(history_.history.get(), state_.get());
  for (const StoreConfig& store : config().stores) {
    RETURN_IF_ERROR(OpenStore(store));
  }
  monitor_ = std::make_unique<StoreMonitor>(StoreMonitor::Options{}, stores_.get());
  return absl::OkStatus();
}

absl::Status DaemonImpl::OpenStore(const StoreConfig& store) {
  absl::StatusOr<OpenedStore> opened = options_.open_store(store);
  if (!opened.ok()) {
    return WithContext(opened.status(), absl::StrCat("store ", store.name));
  }
  opened_stores_.push_back(*std::move(opened));
  ServedStore served;
  served.name = store.name;
  served.adapter = store.adapter;
  served.live = opened_stores_.back().live.get();
  served.records = opened_stores_.back().records;
  served.max_running_restores = static_cast<int>(store.max_running_restores);
  const absl::Status registered = stores_->Register(served);
  if (!registered.ok() && !history_.read_only.ok()) {
    // A store that such a history does not know cannot be made known to it.
    spdlog::warn("store not served store={} reason={}: {}", store.name, ReasonOf(registered),
                 std::string(registered.message()));
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(registered);
  spdlog::info("store registered store={} adapter={}", store.name, store.adapter);
  return absl::OkStatus();
}

absl::Status DaemonImpl::SettleHistory() {
  std::vector<uint32_t> lineages;
  for (const ServedStore* store : stores_->List()) {
    for (const StoreLineage& lineage : LineagesOf(*history_.history, store->name)) {
      lineages.push_back(lineage.number);
    }
  }
  if (options_.accept_history) {
    spdlog::warn("history accepted as it is, because of --accept-history");
    return AcceptHistory(*history_.history, lineages, state_.get());
  }
  if (history_.read_only.ok()) {
    absl::Status current = CheckStateIsCurrent(*history_.history, lineages, *state_);
    if (!current.ok() && !HasReason(current, Reason::kStateLost)) {
      return current;
    }
    history_.read_only = std::move(current);
  }
  if (!history_.read_only.ok()) {
    spdlog::error("history is read-only reason={}: {}", ReasonOf(history_.read_only),
                  std::string(history_.read_only.message()));
  }
  return absl::OkStatus();
}

void DaemonImpl::MakeMetrics() {
  if (config().metrics.listen.empty()) {
    return;
  }
  std::vector<std::string> names;
  for (const ServedStore* store : stores_->List()) {
    names.push_back(store->name);
  }
  std::vector<std::string> hooks;
  for (const Hook& hook : config().hooks) {
    hooks.push_back(hook.name);
  }
  metrics_ = std::make_unique<Metrics>(options_.version, names, hooks);
}

absl::Status DaemonImpl::ServeMetrics() {
  if (metrics_ == nullptr) {
    return absl::OkStatus();
  }
  StoreMetrics::Sources sources;
  sources.stores = stores_.get();
  sources.monitor = monitor_.get();
  sources.history = history_.history.get();
  sources.restores = restores_.get();
  ASSIGN_OR_RETURN(
      metrics_server_,
      MetricsServer::Start(config().metrics.listen,
                           {metrics_->registry(), std::make_shared<StoreMetrics>(sources)}));
  spdlog::info("metrics address={}", metrics_server_->address());
  return absl::OkStatus();
}

absl::Status DaemonImpl::MakeJobs() {
  RestoreEngineOptions engine;
  engine.spill_path = InData("spill");
  engine.memory_budget_bytes = config().restore_memory_bytes;
  engine.lock_timeout = config().lock_timeout;
  engine.commit_timeout = config().commit_timeout;
  engine.max_attempts = static_cast<int>(config().max_attempts);
  engine.undo_validity = config().undo_validity;
  engine.faults = options_.faults;
  ASSIGN_OR_RETURN(engine_, RestoreEngine::Create(engine, history_.history.get(), state_.get()));

  RestoreManagerOptions restores;
  restores.workers = static_cast<int>(config().restore_workers);
  restores.aging = config().aging;
  restores.observer = metrics_.get();
  restores.hooks = config().hooks;
  ASSIGN_OR_RETURN(restores_,
                   RestoreManager::Create(restores, stores_.get(), history_.history.get(),
                                          state_.get(), engine_.get()));

  BatchManagerOptions batches;
  batches.groups = Groups();
  batches.max_lines = config().max_batch_lines;
  batches.shrink_watch = config().shrink_watch;
  batches_ = BatchManager::Create(batches, stores_.get(), history_.history.get(), state_.get(),
                                  restores_.get());

  HistoryJobsOptions history_jobs;
  history_jobs.schedules = Schedules();
  history_jobs.collapse = config().collapse;
  history_jobs.observer = metrics_.get();
  history_jobs.imports_path = InData("imports");
  history_jobs.snapshot_readers = static_cast<int>(config().snapshot_readers);
  ASSIGN_OR_RETURN(history_jobs_, HistoryJobs::Create(history_jobs, stores_.get(),
                                                      history_.history.get(), state_.get()));
  return absl::OkStatus();
}

absl::Status DaemonImpl::StartJobs() {
  monitor_->Start();
  if (!history_.read_only.ok()) {
    return absl::OkStatus();  // every job pins a snapshot or takes one
  }
  RETURN_IF_ERROR(batches_->Prepare());
  RETURN_IF_ERROR(restores_->Start());
  batches_->Start();
  return history_jobs_->Start();
}

std::map<std::string, StoreSchedule> DaemonImpl::Schedules() const {
  std::map<std::string, StoreSchedule> schedules;
  for (const StoreConfig& store : config().stores) {
    schedules[store.name] = {store.snapshot_every, store.retention};
  }
  return schedules;
}

std::vector<StoreGroup> DaemonImpl::Groups() const {
  std::vector<StoreGroup> groups;
  for (const GroupConfig& configured : config().groups) {
    StoreGroup& group = groups.emplace_back();
    group.name = configured.name;
    for (const std::string& store : configured.stores) {
      StoreGroup::Member& member = group.members.emplace_back();
      member.store = store;
      if (const auto tenant = configured.tenants.find(store); tenant != configured.tenants.end()) {
        member.tenant = tenant->second;
      }
    }
  }
  return groups;
}

absl::StatusOr<RpcServerOptions> DaemonImpl::ServerOptions() const {
  RpcServerOptions options;
  options.listen = config().listen;
  options.observer = metrics_.get();
  ASSIGN_OR_RETURN(options.certificate, ReadPem(config().tls.certificate));
  ASSIGN_OR_RETURN(options.key, ReadPem(config().tls.key));
  ASSIGN_OR_RETURN(options.client_ca, ReadPem(config().tls.client_ca));
  return options;
}

// By the name that it has here; the only one there is needs none.
LiveStoreFinder DaemonImpl::EmbeddedStores() const {
  std::map<std::string, LiveStore*> embedded;
  for (const ServedStore* store : stores_->List()) {
    if (store->records != nullptr) {
      embedded.emplace(store->name, store->live);
    }
  }
  return [embedded = std::move(embedded)](const std::string& name) -> absl::StatusOr<LiveStore*> {
    if (name.empty() && embedded.size() == 1) {
      return embedded.begin()->second;
    }
    const auto found = embedded.find(name);
    if (found == embedded.end()) {
      return MakeError(Reason::kStoreNotFound,
                       absl::StrCat("There is no embedded store ", Printable(name), " here."));
    }
    return found->second;
  };
}

void DaemonImpl::MakeServices() {
  ServiceParts parts;
  parts.stores = stores_.get();
  parts.monitor = monitor_.get();
  parts.history = history_.history.get();
  parts.state = state_.get();
  parts.restores = restores_.get();
  parts.batches = batches_.get();
  parts.history_jobs = history_jobs_.get();
  parts.schedules = Schedules();
  parts.imports_path = InData("imports");
  parts.read_only = history_.read_only;

  services_.push_back(MakeStoreService(gate_.get(), parts));
  services_.push_back(MakeSnapshotService(gate_.get(), parts));
  services_.push_back(MakeJobService(gate_.get(), parts));
  services_.push_back(MakeTenantService(gate_.get(), parts));
  services_.push_back(MakeRestoreService(gate_.get(), parts));
  services_.push_back(MakeBatchService(gate_.get(), parts));
  services_.push_back(MakeRecordService(gate_.get(), parts));
  live_stores_ =
      std::make_unique<LiveStoreServiceImpl>(EmbeddedStores(), LiveStoreServiceOptions());
}

absl::Status DaemonImpl::Serve() {
  RpcPool::Options pool;
  pool.threads = static_cast<int>(config().call_workers);
  pool_ = std::make_unique<RpcPool>(pool);
  gate_ = std::make_unique<CallGate>(pool_.get());
  ASSIGN_OR_RETURN(const RpcServerOptions server, ServerOptions());
  MakeServices();
  std::vector<grpc::Service*> services;
  for (const auto& service : services_) {
    services.push_back(service.get());
  }
  services.push_back(live_stores_->service());
  ASSIGN_OR_RETURN(server_, RpcServer::Start(server, services));
  server_->SetServing(history_.read_only.ok());
  spdlog::info("serving address={} data={}", absl::StrJoin(server_->addresses(), ","),
               config().data);
  return absl::OkStatus();
}

// Whole or not at all: whoever waits for the file reads it at once.
absl::Status DaemonImpl::WriteAddress() const {
  const std::string path = InData("reinstated.address");
  const std::string draft = path + ".new";
  std::ofstream(draft) << server_->addresses().front() << "\n";
  std::error_code error;
  std::filesystem::rename(draft, path, error);
  if (error) {
    return MakeError(Reason::kUnavailable,
                     absl::StrCat("Cannot write ", path, ": ", error.message(), "."));
  }
  return absl::OkStatus();
}

void DaemonImpl::Shutdown() {
  if (std::exchange(shut_down_, true)) {
    return;
  }
  if (server_ != nullptr) {
    server_->SetServing(false);
    gate_->Drain();
    live_stores_->Drain();
    std::error_code ignored;
    std::filesystem::remove(InData("reinstated.address"), ignored);
  }
  if (batches_ != nullptr) {
    batches_->Shutdown();
  }
  if (restores_ != nullptr) {
    restores_->Shutdown();
  }
  if (history_jobs_ != nullptr) {
    history_jobs_->Shutdown();
  }
  if (monitor_ != nullptr) {
    monitor_->Shutdown();
  }
  if (server_ != nullptr) {
    server_->Shutdown(config().shutdown_timeout);
    pool_->Shutdown();
    spdlog::info("stopped");
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(DaemonOptions options) {
  auto daemon = std::make_unique<DaemonImpl>(std::move(options));
  RETURN_IF_ERROR(daemon->Start());
  return daemon;
}

}  // namespace reinstate

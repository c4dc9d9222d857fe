#include "server/config/config_file.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/config/hook_config.h"
#include "server/config/toml_section.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr int64_t kMaxWorkers = 256;
constexpr int64_t kMaxKept = 1'000'000;
constexpr int64_t kMaxBatchLines = 100'000;

bool IsAddress(const std::string& address) {
  if (absl::StartsWith(address, "unix:")) {
    return address.size() > 5;
  }
  const size_t colon = address.rfind(':');
  int port = 0;
  return colon != std::string::npos && colon > 0 &&
         absl::SimpleAtoi(address.substr(colon + 1), &port) && port >= 0 && port <= 65535;
}

void ReadTls(TomlSection tls, TlsConfig* config) {
  tls.Read("certificate", &config->certificate);
  tls.Read("key", &config->key);
  tls.Read("client_ca", &config->client_ca);
  tls.RefuseOthers();
  if (config->certificate.empty() != config->key.empty()) {
    tls.Complain(config->key.empty() ? "certificate" : "key",
                 "needs the other one of certificate and key.");
  }
  if (!config->client_ca.empty() && config->certificate.empty()) {
    tls.Complain("client_ca", "needs certificate and key.");
  }
}

void ReadLog(TomlSection log, LogConfig* config) {
  log.ReadChoice("level", {"trace", "debug", "info", "warn", "error"}, &config->level);
  log.ReadChoice("format", {"text", "json"}, &config->format);
  log.Read("file", &config->file);
  log.RefuseOthers();
}

void ReadMetrics(TomlSection metrics, MetricsConfig* config) {
  metrics.Read("listen", &config->listen);
  metrics.Read("insecure", &config->insecure);
  metrics.RefuseOthers();
  const bool socket = absl::StartsWith(config->listen, "unix:");
  if (!config->listen.empty() && (socket || !IsAddress(config->listen))) {
    metrics.Complain("listen", "must be host:port.");
  }
}

void ReadWorkers(TomlSection workers, DaemonConfig* config) {
  workers.Read("restores", 0, kMaxWorkers, &config->restore_workers);
  workers.Read("calls", 1, kMaxWorkers, &config->call_workers);
  workers.Read("snapshot_readers", 1, kMaxWorkers, &config->snapshot_readers);
  workers.RefuseOthers();
}

void ReadMemory(TomlSection memory, DaemonConfig* config) {
  memory.ReadBytes("snapshots", 16LL << 20, &config->snapshot_memory_bytes);
  memory.ReadBytes("restore", 1LL << 20, &config->restore_memory_bytes);
  memory.ReadBytes("history_cache", 1LL << 20, &config->block_cache_bytes);
  memory.RefuseOthers();
}

void ReadRestores(TomlSection restores, DaemonConfig* config) {
  restores.Read("lock_timeout", absl::Milliseconds(1), &config->lock_timeout);
  restores.Read("commit_timeout", absl::Seconds(1), &config->commit_timeout);
  restores.Read("max_attempts", 1, 1000, &config->max_attempts);
  restores.Read("undo_validity", absl::Minutes(1), &config->undo_validity);
  restores.Read("aging", absl::Seconds(1), &config->aging);
  restores.RefuseOthers();
}

void ReadBatches(TomlSection batches, DaemonConfig* config) {
  batches.Read("max_lines", 1, kMaxBatchLines, &config->max_batch_lines);
  batches.Read("shrink_watch", absl::ZeroDuration(), &config->shrink_watch);
  batches.RefuseOthers();
}

void ReadCollapse(TomlSection collapse, CollapseThresholds* thresholds) {
  collapse.Read("vanished_fraction", 0.0, 1.0, &thresholds->vanished_fraction);
  collapse.Read("shrunken_fraction", 0.0, 1.0, &thresholds->shrunken_fraction);
  collapse.Read("min_tenants", 1, kMaxKept, &thresholds->min_tenants);
  collapse.RefuseOthers();
}

void ReadSnapshots(TomlSection snapshots, StoreConfig* store) {
  snapshots.Read("every", absl::Seconds(1), &store->snapshot_every);
  snapshots.Read("keep_last", 0, kMaxKept, &store->retention.keep_last);
  snapshots.Read("keep_daily", 0, kMaxKept, &store->retention.keep_daily);
  snapshots.Read("keep_weekly", 0, kMaxKept, &store->retention.keep_weekly);
  snapshots.Read("keep_monthly", 0, kMaxKept, &store->retention.keep_monthly);
  snapshots.Read("grace", absl::ZeroDuration(), &store->retention.grace);
  snapshots.RefuseOthers();
}

void CheckTls(const StoreConfig& store, TomlSection* section) {
  if (store.certificate.empty() != store.key.empty()) {
    section->Complain(store.key.empty() ? "certificate" : "key",
                      "needs the other one of certificate and key.");
  }
  if (store.ca.empty() && !store.certificate.empty()) {
    section->Complain("certificate", "needs ca: without it there is no TLS.");
  }
}

// Keys that mean nothing for the store's adapter.
void RefuseKeysOfOthers(const std::string& adapter, TomlSection* section) {
  for (const char* key : {"address", "remote_name", "ca", "certificate", "key"}) {
    if (adapter != "remote" && section->Has(key)) {
      section->Complain(key, "is for remote stores only.");
    }
  }
  for (const char* key : {"path", "label_table"}) {
    if (adapter != "embedded" && section->Has(key)) {
      section->Complain(key, "is for embedded stores only.");
    }
  }
}

void CheckStore(const StoreConfig& store, TomlSection* section) {
  if (!IsConfigName(store.name)) {
    section->Complain("name",
                      "is required: 1 to 63 of a-z, 0-9, _ and -, beginning with a letter.");
  }
  if (store.adapter == "remote" && !IsAddress(store.address)) {
    section->Complain("address", "is required for a remote store: host:port or unix:<path>.");
  }
  CheckTls(store, section);
  RefuseKeysOfOthers(store.adapter, section);
}

StoreConfig ReadStore(TomlSection* section) {
  StoreConfig store;
  section->Read("name", &store.name);
  section->ReadChoice("adapter", {"embedded", "postgres", "remote"}, &store.adapter);
  section->Read("path", &store.path);
  section->Read("address", &store.address);
  section->Read("remote_name", &store.remote_name);
  section->Read("ca", &store.ca);
  section->Read("certificate", &store.certificate);
  section->Read("key", &store.key);
  section->Read("label_table", &store.label_table);
  ReadPostgres(store.adapter == "postgres", section, &store.postgres);
  section->Read("max_running_restores", 1, kMaxWorkers, &store.max_running_restores);
  ReadSnapshots(section->Table("snapshots"), &store);
  section->RefuseOthers();
  CheckStore(store, section);
  return store;
}

void ReadStores(TomlSection* top, DaemonConfig* config) {
  for (TomlSection& section : top->Tables("store")) {
    StoreConfig store = ReadStore(&section);
    if (std::any_of(config->stores.begin(), config->stores.end(),
                    [&](const StoreConfig& other) { return other.name == store.name; })) {
      section.Complain("name", absl::StrCat("is used twice: ", store.name, "."));
    }
    config->stores.push_back(std::move(store));
  }
}

bool HasStore(const DaemonConfig& config, const std::string& name) {
  return std::any_of(config.stores.begin(), config.stores.end(),
                     [&](const StoreConfig& store) { return store.name == name; });
}

GroupConfig ReadGroup(const DaemonConfig& config, TomlSection* section) {
  GroupConfig group;
  section->Read("name", &group.name);
  section->Read("stores", &group.stores);
  if (!IsConfigName(group.name)) {
    section->Complain("name",
                      "is required: 1 to 63 of a-z, 0-9, _ and -, beginning with a letter.");
  }
  if (group.stores.empty()) {
    section->Complain("stores", "is required: the names of stores, in their order.");
  }
  TomlSection tenants = section->Table("tenants");
  std::set<std::string> seen;
  for (const std::string& store : group.stores) {
    if (!HasStore(config, store) || !seen.insert(store).second) {
      section->Complain("stores", absl::StrCat("names ", store,
                                               " twice, or there is no such "
                                               "[[store]]."));
      continue;
    }
    if (tenants.Has(store)) {
      tenants.Read(store, &group.tenants[store]);
      if (!absl::StrContains(group.tenants[store], "{id}")) {
        tenants.Complain(store, "must have {id} for the tenant's id in the group.");
      }
    }
  }
  tenants.RefuseOthers();
  section->RefuseOthers();
  return group;
}

void ReadGroups(TomlSection* top, DaemonConfig* config) {
  for (TomlSection& section : top->Tables("group")) {
    GroupConfig group = ReadGroup(*config, &section);
    const bool twice =
        std::any_of(config->groups.begin(), config->groups.end(),
                    [&](const GroupConfig& other) { return other.name == group.name; });
    if (twice || HasStore(*config, group.name)) {
      section.Complain("name", absl::StrCat("is used twice: ", group.name, "."));
    }
    config->groups.push_back(std::move(group));
  }
}

std::vector<std::string> StoreNames(const DaemonConfig& config) {
  std::vector<std::string> names;
  for (const StoreConfig& store : config.stores) {
    names.push_back(store.name);
  }
  return names.empty() ? std::vector<std::string>{kDefaultStore} : names;
}

void ReadTop(TomlSection* top, DaemonConfig* config) {
  top->Read("data", &config->data);
  top->Read("listen", &config->listen);
  for (const std::string& address : config->listen) {
    if (!IsAddress(address)) {
      top->Complain("listen", "must be host:port or unix:<path>, or an array of these.");
    }
  }
  top->Read("insecure", &config->insecure);
  top->Read("shutdown_timeout", absl::Seconds(1), &config->shutdown_timeout);
  top->ReadBytes("state_reserve", 0, &config->state_reserve_bytes);
  ReadTls(top->Table("tls"), &config->tls);
  ReadLog(top->Table("log"), &config->log);
  ReadMetrics(top->Table("metrics"), &config->metrics);
  ReadWorkers(top->Table("workers"), config);
  ReadMemory(top->Table("memory"), config);
  ReadRestores(top->Table("restores"), config);
  ReadCollapse(top->Table("collapse"), &config->collapse);
  ReadBatches(top->Table("batches"), config);
  ReadStores(top, config);
  ReadGroups(top, config);
  ReadHooks(top, StoreNames(*config), &config->hooks);
  top->RefuseOthers();
}

}  // namespace

absl::StatusOr<DaemonConfig> ReadConfigFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<TomlFile> file, TomlFile::Open(path));
  TomlSection top(file.get());
  DaemonConfig config;
  ReadTop(&top, &config);
  RETURN_IF_ERROR(file->Check());
  return config;
}

}  // namespace reinstate

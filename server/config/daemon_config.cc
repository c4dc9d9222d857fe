#include "server/config/daemon_config.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread
  return value == nullptr ? "" : value;
}

absl::Status CompleteRemote(bool insecure, StoreConfig* store) {
  if (store->remote_name.empty()) {
    store->remote_name = store->name;
  }
  if (store->ca.empty() && !IsLocalAddress(store->address) && !insecure) {
    return MakeError(Reason::kConfigInvalid,
                     absl::StrCat("Store ", store->name, " is at ", store->address,
                                  ": without TLS anybody on the way can read and change it. Set "
                                  "ca, certificate and key, or say `insecure = true`."));
  }
  return absl::OkStatus();
}

}  // namespace

std::string DefaultDataPath() {
  if (std::string data = Environment("REINSTATE_DATA"); !data.empty()) {
    return data;
  }
  const std::string home = Environment("HOME");
  return geteuid() == 0 || home.empty() ? "/var/lib/reinstate" : home + "/.local/share/reinstate";
}

int64_t DefaultRestoreWorkers() {
  return std::clamp<int64_t>(std::thread::hardware_concurrency(), 2, 4);
}

bool IsLocalAddress(const std::string& address) {
  for (const char* local : {"unix:", "127.", "localhost:", "[::1]:"}) {
    if (absl::StartsWith(address, local)) {
      return true;
    }
  }
  return false;
}

absl::Status Complete(DaemonConfig* config) {
  if (config->data.empty()) {
    config->data = DefaultDataPath();
  }
  if (config->restore_workers == 0) {
    config->restore_workers = DefaultRestoreWorkers();
  }
  if (config->stores.empty()) {
    config->stores.emplace_back().name = kDefaultStore;
  }
  for (StoreConfig& store : config->stores) {
    if (store.adapter == "embedded" && store.path.empty()) {
      store.path = absl::StrCat(config->data, "/stores/", store.name);
    }
    if (store.adapter == "remote") {
      RETURN_IF_ERROR(CompleteRemote(config->insecure, &store));
    }
  }
  for (const std::string& address : config->listen) {
    if (!IsLocalAddress(address) && !config->tls.enabled() && !config->insecure) {
      return MakeError(Reason::kConfigInvalid,
                       absl::StrCat("Listening on ", address,
                                    " without TLS would let anybody who reaches it restore and "
                                    "delete. Set certificate, key and client_ca under [tls], or "
                                    "listen on a loopback address, or say `insecure = true`."));
    }
  }
  if (!config->metrics.listen.empty() && !IsLocalAddress(config->metrics.listen) &&
      !config->metrics.insecure) {
    return MakeError(Reason::kConfigInvalid,
                     absl::StrCat("Metrics on ", config->metrics.listen,
                                  " would show names of stores and counts to anybody who reaches "
                                  "it. Listen on a loopback address, or say `insecure = true` "
                                  "under [metrics]."));
  }
  return absl::OkStatus();
}

}  // namespace reinstate

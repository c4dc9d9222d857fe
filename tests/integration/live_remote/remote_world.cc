#include "tests/integration/live_remote/remote_world.h"

#include <gtest/gtest.h>

#include <utility>

#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

std::unique_ptr<RemoteStore> ConnectTo(int port) {
  auto store = RemoteStore::Create({.address = LoopbackAddress(port),
                                    .lease = absl::Seconds(2),
                                    .call_timeout = absl::Seconds(20)});
  EXPECT_THAT(store, IsOk());
  return *std::move(store);
}

}  // namespace

RemoteWorld::RemoteWorld(const LiveStoreServiceOptions& options)
    : options_(options),
      store_({.id = "memory", .faults = &faults_}),
      server_(std::make_unique<LiveStoreServer>(&store_, options_)),
      port_(server_->port()),
      proxy_(port_) {}

std::unique_ptr<RemoteStore> RemoteWorld::Connect() { return ConnectTo(proxy_.port()); }

std::unique_ptr<RemoteStore> RemoteWorld::ConnectDirectly() { return ConnectTo(port_); }

void RemoteWorld::StartServer() {
  server_ = std::make_unique<LiveStoreServer>(&store_, options_, port_);
}

void RemoteWorld::Put(const TenantId& tenant, const std::string& key, const std::string& payload) {
  const RecordWrite write{
      .tenant = tenant, .table = kTable, .key = RowKey(key), .payload = payload};
  EXPECT_THAT(store_.Write({&write, 1}, /*sync=*/false), IsOk());
}

std::string RemoteWorld::Get(const TenantId& tenant, const std::string& key) {
  const auto payload = store_.Get(tenant, kTable, RowKey(key));
  EXPECT_THAT(payload, IsOk());
  return payload.ok() ? payload->value_or("(none)") : "(error)";
}

bool RemoteWorld::LockIsFree(const TenantId& tenant, absl::Duration patience) {
  return store_.OpenTenant(tenant, {.purpose = "test", .lock_timeout = patience}).ok();
}

}  // namespace reinstate

#pragma once

#include <memory>
#include <string>

#include "storage/base/fault_points.h"
#include "storage/live/memory/memory_store.h"
#include "storage/live/remote/remote_store.h"
#include "tests/support/live_store_server.h"
#include "tests/support/tcp_proxy.h"

namespace reinstate {

inline constexpr char kTable[] = "issue";

// A memory store behind a server behind a proxy, and a client of it. The lease is two seconds.
class RemoteWorld {
 public:
  explicit RemoteWorld(const LiveStoreServiceOptions& options = {});

  MemoryStore* store() { return &store_; }
  FaultPoints* faults() { return &faults_; }
  TcpProxy* proxy() { return &proxy_; }
  LiveStoreServer* server() { return server_.get(); }

  // A client with a connection of its own through the proxy.
  std::unique_ptr<RemoteStore> Connect();

  // One that is not disturbed by the proxy.
  std::unique_ptr<RemoteStore> ConnectDirectly();

  void StopServer() { server_ = nullptr; }
  void StartServer();  // at the same port

  void Put(const TenantId& tenant, const std::string& key, const std::string& payload);

  // The payload of a row as the application sees it; "(none)" if there is none.
  std::string Get(const TenantId& tenant, const std::string& key);

  // Whether the tenant's lock is free within `patience`.
  bool LockIsFree(const TenantId& tenant, absl::Duration patience);

 private:
  const LiveStoreServiceOptions options_;
  FaultPoints faults_;
  MemoryStore store_;
  std::unique_ptr<LiveStoreServer> server_;
  const int port_;
  TcpProxy proxy_;
};

inline Change InsertOf(std::string key, std::string payload) {
  return {.kind = ChangeKind::kInsert,
          .table = kTable,
          .key = RowKey(std::move(key)),
          .old_payload = "",
          .new_payload = std::move(payload)};
}

inline Change ReplaceOf(std::string key, std::string before, std::string after) {
  return {.kind = ChangeKind::kReplace,
          .table = kTable,
          .key = RowKey(std::move(key)),
          .old_payload = std::move(before),
          .new_payload = std::move(after)};
}

}  // namespace reinstate

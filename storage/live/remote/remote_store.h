#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "storage/base/clock.h"
#include "storage/live/live_store.h"

namespace reinstate {

struct RemoteStoreOptions {
  std::string address;  // where the server is, as gRPC names it: "host:port", "unix:/path"
  std::string store;    // the name of the store there; empty if it has only one

  // Files in PEM format. With a CA the connection is encrypted and the server must have a
  // certificate of it; certificate and key are what we show the server. Without a CA nothing is
  // encrypted and anybody who can reach the server can change the store.
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;

  // How long a session or cut outlives its client, and how long the client waits for a sign of life
  // before it gives one up: 1 s to 10 min. Too short and a pause of either side breaks restores
  // off; too long and the lock of a tenant stays taken after a crash.
  absl::Duration lease = absl::Seconds(10);

  // How long calls that do not depend on the size of the store may take.
  absl::Duration call_timeout = absl::Seconds(30);

  // Larger payloads are refused as TOO_LARGE, whichever way they go: a payload is held in memory.
  size_t max_payload_bytes = 256 << 20;

  const Clock* clock = Clock::System();
};

// A store behind the adapter protocol (LiveStoreService): README.md beside this file says how to
// plug one in.
//
// Thread-safe. Connects when it is first used and again after a break. A session is one stream; a
// break of it before Commit is SESSION_LOST and a roll-back, a break after Commit was sent and
// before its answer came is COMMIT_UNKNOWN. What the server says is checked: what breaks the
// protocol is INTERNAL.
class RemoteStore final : public LiveStore {
 public:
  // CONFIG_INVALID if an option is out of its range or a file cannot be read. The server need not
  // be there.
  static absl::StatusOr<std::unique_ptr<RemoteStore>> Create(RemoteStoreOptions options);
  ~RemoteStore() override;
  RemoteStore(const RemoteStore&) = delete;
  RemoteStore& operator=(const RemoteStore&) = delete;

  // While the server cannot be asked: what it said last, or else what demands most care of the
  // caller.
  StoreCapabilities Capabilities() const override;
  absl::StatusOr<StoreIdentity> Identity() override { return IdentityUnless(nullptr); }
  absl::StatusOr<StoreIdentity> IdentityUnless(const ShouldEnd& should_end) override;
  absl::StatusOr<TenantMap> Catalog() override;
  absl::StatusOr<std::unique_ptr<Cut>> OpenCut(const CutOptions& options) override;
  absl::StatusOr<std::unique_ptr<TenantSession>> OpenTenant(const TenantId& tenant,
                                                            const SessionOptions& options) override;
  absl::StatusOr<SizeEstimate> EstimateTenant(const TenantId& tenant) override;
  absl::StatusOr<std::unique_ptr<TenantCountStream>> CountTenants() override;
  absl::StatusOr<std::vector<int64_t>> CountRowsOf(std::span<const TenantId> tenants) override;
  StoreHealth ProbeHealth() override;

 private:
  struct Connection;  // with gRPC's types, which are kept out of here

  RemoteStore(RemoteStoreOptions options, std::unique_ptr<Connection> connection);

  const RemoteStoreOptions options_;
  const std::unique_ptr<Connection> connection_;
};

}  // namespace reinstate

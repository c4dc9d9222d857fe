#pragma once

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "reinstate/v1/record_service.grpc.pb.h"
#include "reinstate/v1/restore_service.grpc.pb.h"
#include "tests/support/daemon_process.h"
#include "tests/support/temp_dir.h"

namespace reinstate {

// tenant -> table -> key -> payload
using StoreRows = std::map<std::string, std::map<std::string, std::map<std::string, std::string>>>;

// The real daemon, which a test kills and starts again, and calls as a client would; over its
// embedded store, if the test does not say otherwise. Failures of what a test takes for granted end
// the test.
class DaemonWorld {
 public:
  // `arguments`: further ones of the daemon.
  explicit DaemonWorld(std::vector<std::string> arguments = {});

  // Starts the daemon, with these fault points.
  void Start(const std::string& fault_points = "");
  // As Start. False if it ended at one of them before it served.
  bool TryStart(const std::string& fault_points);
  // A fault point, and its hit at which a thread of the daemon stays.
  using Stay = std::pair<std::string, int>;
  // Starts a daemon whose threads come to a stand at these places, one each.
  void StartToStay(const std::vector<Stay>& stays);
  // Blocks until they have.
  void AwaitStay();
  DaemonProcess* daemon() { return daemon_.get(); }
  // For calls that are not below.
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  // Takes a snapshot of the store and waits for it.
  void TakeSnapshot(const std::string& store = "main");

  // Each is false if the daemon ended meanwhile.
  bool Delete(const std::string& tenant, const std::string& table, const std::string& key);
  bool Put(const std::string& tenant, const std::string& table, const std::string& key,
           const std::string& payload);
  void Write(const std::string& tenant,
             const std::map<std::string, std::map<std::string, std::string>>& tables,
             const std::string& store = "main");
  void DeleteTenant(const std::string& tenant, const std::string& store = "main");

  // What a client sees of these tenants, in these tables.
  StoreRows Read(const std::vector<std::string>& tenants, const std::vector<std::string>& tables,
                 const std::string& store = "main");

  // What the embedded store holds while no daemon has it open: read by a process that continues
  // nothing.
  StoreRows ReadAtRest(const std::vector<std::string>& tenants,
                       const std::vector<std::string>& tables, const std::string& store = "main");

  // Restores to the latest snapshot. Returns the id; empty if the daemon ended meanwhile.
  std::string CreateRestore(const std::string& tenant, v1::RestoreMode mode,
                            const std::string& request_id);
  std::string CreateUndo(const std::string& restore, const std::string& request_id);

  // The code of the answer to such a request.
  grpc::StatusCode TryUndo(const std::string& restore, const std::string& request_id);

  // Waits until the restore has ended, one way or another.
  v1::Restore WaitForEnd(const std::string& restore);

  // Whether the commit of a restore, whose answer was lost, was found out about afterwards.
  bool WasFoundOut(const std::string& restore);

  // The end of what the daemon printed, for messages.
  std::string Output() const;

 private:
  void Connect();

  const std::vector<std::string> arguments_;
  TempDir folder_;
  std::unique_ptr<DaemonProcess> daemon_;
  std::vector<Stay> stays_;    // of the daemon
  size_t said_before_it_ = 0;  // how much daemons before it have printed
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::RecordService::Stub> records_;
  std::unique_ptr<v1::RestoreService::Stub> restores_;
};

}  // namespace reinstate

#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/model/record.h"
#include "storage/model/streams.h"
#include "storage/model/tenant_map.h"

namespace reinstate {

// Names one commit of a session, so that its outcome can be asked for later, by another session of
// another process. Opaque bytes of the adapter, at most 4 KiB.
struct CommitToken {
  std::string bytes;
};

enum class CommitOutcome {
  kCommitted,
  kNotCommitted,
  kNotKnown,  // this adapter cannot tell; rows must be looked at
};

enum class ChangeKind {
  kDelete,   // the row is there with old_payload
  kReplace,  // the row is there with old_payload and is to have new_payload, which is another
  kInsert,   // no row of any tenant has the key
};

struct Change {
  ChangeKind kind = ChangeKind::kInsert;
  std::string table;  // the table's identity
  RowKey key;
  std::string old_payload;  // empty for kInsert
  std::string new_payload;  // empty for kDelete
};

enum class KeyOwner {
  kNobody,  // no row has the key
  kThisTenant,
  kOtherTenant,
};

struct KeyState {
  KeyOwner owner = KeyOwner::kNobody;
  std::optional<std::string> payload;  // of kThisTenant; with kNobody the row's, if it has no owner
};

enum class ObstacleKind {
  kValueTaken,   // another row has a value that must be unique
  kNoPartition,  // the table has no partition that takes the row
};

// What is in the way of a row, but for its key. Names keys of the tenant only, and no values.
struct Obstacle {
  size_t change = 0;  // whose, by its place among those that were asked about
  ObstacleKind kind = ObstacleKind::kValueTaken;
  // Of kValueTaken: the name of the constraint or index, whose the row is that has the value
  // (kNobody: one that belongs to nobody), and if it is the tenant's its key, unless its table has
  // none.
  std::string constraint;
  KeyOwner owner = KeyOwner::kNobody;
  std::optional<RowKey> key;
};

// Reads and changes one tenant and nothing else. Holds the tenant's lock from before its view of
// the data until it is destroyed, and one transaction at a time.
//
// Containment: the adapter checks the owner of each row that it touches and puts the tenant into
// every statement, so that no argument can reach another tenant.
//
// Life of a transaction: Begin, any number of reads, Apply…, reads, Seal, Commit. Rollback is
// possible anywhere and then Begin again. Not thread-safe, but for Cancel. Destroying it rolls back
// and releases the lock. A process that dies loses both as well.
//
// Any call can fail with SESSION_LOST (lock and transaction are gone; nothing was committed, except
// that Commit answers COMMIT_UNKNOWN instead), CANCELLED (after Cancel), or LIVE_CHANGED (a race
// with the application; roll back and begin again). After any error only Rollback, Resolve and the
// destructor may be called.
class TenantSession {
 public:
  virtual ~TenantSession() = default;

  // Begins a transaction whose view is taken now, under the lock.
  virtual absl::Status Begin() = 0;

  // The tenant's rows of the table with identity `table`, ascending bytewise by key, as the
  // transaction sees them: its own changes included. No Apply while the stream is open.
  // TABLE_NOT_FOUND if there is no such owned table.
  virtual absl::StatusOr<std::unique_ptr<RecordStream>> ReadTable(const std::string& table) = 0;

  // As ReadTable, but the rows come in whatever order costs the store least. For who sums them.
  virtual absl::StatusOr<std::unique_ptr<RecordStream>> ReadTableUnordered(
      const std::string& table) {
    return ReadTable(table);
  }

  // The tables as the transaction sees them, as LiveStore::Catalog gives them; nullopt of an
  // adapter whose store is to be asked instead.
  virtual absl::StatusOr<std::optional<TenantMap>> Catalog() { return std::nullopt; }

  // For each of `keys` (at most 1,000) whose it is, regardless of tenant, in the order of `keys`. A
  // row that belongs to nobody is given as the tenant's: it would be so with what it belonged to.
  virtual absl::StatusOr<std::vector<KeyState>> LookUp(const std::string& table,
                                                       std::span<const RowKey> keys) = 0;

  // What would be in the way of `changes`, insertions and replacements which are yet to be applied
  // (at most 1,000, with about a megabyte of payloads), as the transaction sees it; ascending by
  // Obstacle::change. Rows of the tenant itself are named also if other changes are to take them
  // away or to give them another value, and rows that the changes make are not compared with each
  // other. To be asked of tables with MappedTable::may_be_obstructed; nothing is found in others.
  // NOT_ALLOWED if the role lacks what these rows take beyond the privileges on their table.
  virtual absl::StatusOr<std::vector<Obstacle>> FindObstacles(std::span<const Change> /*changes*/) {
    return std::vector<Obstacle>();
  }

  // Applies one change; may buffer. Changes come as all deletions, then all replacements, then all
  // insertions; within each by table and ascending key; each key at most once. LIVE_CHANGED or
  // KEY_CONFLICT if the row is not as the change says; it may be found as late as Seal or Commit.
  virtual absl::Status Apply(const Change& change) = 0;

  // Flushes what is buffered and checks all constraints. Afterwards only reads and Commit. Returns
  // the token by which the coming commit can be resolved; nothing is committed yet.
  virtual absl::StatusOr<CommitToken> Seal() = 0;

  // After Seal: what its checks found amiss and the store's configuration allows, a sentence each,
  // for the certificate. Names and numbers only.
  virtual std::vector<std::string> Exceptions() const { return {}; }

  // Makes the changes durable and visible at once. OK: done. LIVE_CHANGED, DEADLINE_EXCEEDED:
  // rolled back, surely. COMMIT_UNKNOWN: may be either; open a new session and Resolve. `deadline`
  // is of the system's clock.
  virtual absl::Status Commit(absl::Time deadline) = 0;

  // Gives up the transaction; the lock stays. OK if there is none.
  virtual absl::Status Rollback() = 0;

  // What became of an earlier session's commit. Since this session holds the lock, that session has
  // ended.
  virtual absl::StatusOr<CommitOutcome> Resolve(const CommitToken& token) = 0;

  // From any thread: makes the running call and all later ones fail with CANCELLED as soon as it
  // can. A Commit under way is not cut short.
  virtual void Cancel() = 0;
};

}  // namespace reinstate

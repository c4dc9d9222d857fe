#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/live/rocksdb/embedded_db.h"
#include "storage/live/rocksdb/embedded_record_stream.h"
#include "storage/live/rocksdb/generation_remover.h"
#include "storage/live/rocksdb/generation_writer.h"
#include "storage/live/rocksdb/tenant_latches.h"
#include "storage/live/session_phase.h"
#include "storage/live/tenant_locks.h"
#include "storage/live/tenant_session.h"

namespace reinstate {

// What the sessions of an embedded store share. Outlives them.
struct EmbeddedParts {
  EmbeddedDb* db = nullptr;
  TenantLatches* latches = nullptr;
  GenerationRemover* remover = nullptr;
};

// The session of an embedded store. Changes are held in memory while they are few, and are then one
// batch. When they become more, it fills a new generation of the tenant with what its view holds,
// applies them there, and at Commit makes that the tenant's generation by one synced write.
//
// The application writes to the present generation all the while, and each such write is noted in a
// journal that begins together with the view. At Commit, under the tenant's latch, what it wrote is
// carried over into the new generation; where it wrote what the session changed, the session fails.
class EmbeddedSession final : public TenantSession {
 public:
  // `lock` is the lock of `tenant`.
  EmbeddedSession(EmbeddedParts parts, TenantId tenant, std::unique_ptr<TenantLocks::Held> lock);
  ~EmbeddedSession() override;
  EmbeddedSession(const EmbeddedSession&) = delete;
  EmbeddedSession& operator=(const EmbeddedSession&) = delete;

  absl::Status Begin() override;
  absl::StatusOr<std::unique_ptr<RecordStream>> ReadTable(const std::string& table) override;
  absl::StatusOr<std::vector<KeyState>> LookUp(const std::string& table,
                                               std::span<const RowKey> keys) override;
  absl::Status Apply(const Change& change) override;
  absl::StatusOr<CommitToken> Seal() override;
  absl::Status Commit(absl::Time deadline) override;
  absl::Status Rollback() override;
  absl::StatusOr<CommitOutcome> Resolve(const CommitToken& token) override;
  void Cancel() override;

 private:
  // Finds payloads in the view, quickly if asked for in ascending order.
  class ViewCursor {
   public:
    explicit ViewCursor(const GenerationView& view);

    // The payload at `place`, valid until the next call, or nullopt.
    absl::StatusOr<std::optional<std::string_view>> Find(std::string_view place);

   private:
    const std::string prefix_;
    std::string target_;  // of the last call
    RangeReader reader_;
  };

  struct Transaction {
    Transaction(GenerationView its_view, const EmbeddedStoreOptions& options)
        : view(std::move(its_view)),
          journal(options.max_journal_bytes, options.max_journal_payload_bytes) {}

    const GenerationView view;
    WriteJournal journal;                // with the tenant's latch
    std::unique_ptr<ViewCursor> cursor;  // from the first Apply to Seal
    Overlay overlay;                     // empty once there is a writer
    size_t overlay_bytes = 0;
    std::unique_ptr<GenerationWriter> writer;
    std::string last_table;  // whose TablePart is table_part
    std::string table_part;
    std::string place;  // of the last change; reused
    std::string token;
  };

  absl::Status DoBegin();
  absl::Status CheckTable(const std::string& table) const;
  absl::StatusOr<KeyState> StateOf(const std::string& place) const;
  absl::Status DoApply(const Change& change);
  absl::Status CheckRow(const Change& change, std::string_view place);
  absl::Status StartGeneration();
  absl::StatusOr<CommitToken> DoSeal();
  absl::Status DoCommit(absl::Time deadline);
  absl::Status CommitUnderLatch(absl::Time deadline, const TenantLatches::Hold& hold);
  absl::Status AddOverlay(rocksdb::WriteBatch* batch);
  absl::Status AddReplay(rocksdb::WriteBatch* batch);
  absl::Status AddSwitch(rocksdb::WriteBatch* batch);
  absl::Status AddToken(rocksdb::WriteBatch* batch);
  absl::Status AfterFailedWrite(const absl::Status& failure);
  absl::StatusOr<CommitOutcome> DoResolve(const CommitToken& token);
  GenerationView NewGeneration() const;
  void EndTransaction(bool committed);

  const EmbeddedParts parts_;
  const TenantId tenant_;
  const std::unique_ptr<TenantLocks::Held> lock_;
  SessionPhase phase_;
  std::unique_ptr<Transaction> transaction_;
};

}  // namespace reinstate

#include "storage/live/rocksdb/embedded_store.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/rocksdb/embedded_cut.h"
#include "storage/live/rocksdb/embedded_db.h"
#include "storage/live/rocksdb/embedded_record_stream.h"
#include "storage/live/rocksdb/embedded_session.h"
#include "storage/live/rocksdb/generation_remover.h"
#include "storage/live/rocksdb/range_reader.h"
#include "storage/live/rocksdb/tenant_latches.h"
#include "storage/rocks/rocksdb_status.h"

namespace reinstate {
namespace {

// RocksDB estimates what is in memory by how its list happens to be linked: of few records, none
// may be left. So few are counted.
constexpr int64_t kCountedRows = 1000;

// Counts the records of a range up to kCountedRows. Whether these are all.
absl::StatusOr<bool> CountFirst(const EmbeddedDb& db, const std::string& begin,
                                const std::string& end, SizeEstimate* counted) {
  RangeReader records(&db, db.records(), {.begin = begin, .end = end, .fill_cache = true});
  for (; records.Valid() && counted->rows < kCountedRows; records.Next()) {
    ++counted->rows;
    counted->bytes += static_cast<int64_t>(records.key().size() + records.value().size());
  }
  RETURN_IF_ERROR(records.status());
  return !records.Valid();
}

absl::StatusOr<SizeEstimate> EstimateRange(const EmbeddedDb& db, const rocksdb::Range& range) {
  uint64_t buffered_rows = 0;
  uint64_t buffered_bytes = 0;
  db.raw()->GetApproximateMemTableStats(db.records(), range, &buffered_rows, &buffered_bytes);
  uint64_t file_bytes = 0;
  RETURN_IF_ERROR(FromRocksdb(db.raw()->GetApproximateSizes(rocksdb::SizeApproximationOptions(),
                                                            db.records(), &range, 1, &file_bytes),
                              "cannot measure a tenant"));
  SizeEstimate size{.rows = static_cast<int64_t>(buffered_rows),
                    .bytes = static_cast<int64_t>(buffered_bytes)};
  // In the files its records are taken to be like the others there.
  rocksdb::TablePropertiesCollection files;
  RETURN_IF_ERROR(
      FromRocksdb(db.raw()->GetPropertiesOfTablesInRange(db.records(), &range, 1, &files),
                  "cannot measure a tenant"));
  double rows = 0;
  double raw_bytes = 0;
  double stored_bytes = 0;
  for (const auto& [name, file] : files) {
    rows += static_cast<double>(file->num_entries);
    raw_bytes += static_cast<double>(file->raw_key_size + file->raw_value_size);
    stored_bytes += static_cast<double>(file->data_size);
  }
  if (stored_bytes > 0) {
    const double part = static_cast<double>(file_bytes) / stored_bytes;
    size.rows += static_cast<int64_t>(rows * part);
    size.bytes += static_cast<int64_t>(raw_bytes * part);
  }
  return size;
}

// Turns an application's writes into one batch, with the latches of all its tenants held.
class ApplicationBatch {
 public:
  ApplicationBatch(EmbeddedDb* db, TenantLatches* latches) : db_(db), latches_(latches) {}

  absl::Status Add(const RecordWrite& write) {
    if (!has_tenant_ || write.tenant != tenant_) {
      RETURN_IF_ERROR(EnterTenant(write.tenant));
    }
    std::string place = EmbeddedKeyCodec::Place(write.table, write.key.bytes());
    key_.assign(prefix_).append(place);
    if (!write.payload) {
      batch_.Delete(db_->records(), key_);
    } else {
      AddTable(write.table);
      AddHead();
      batch_.Put(db_->records(), key_, *write.payload);
    }
    if (journal_ != nullptr) {
      journal_->Add(std::move(place), write.payload ? write.payload->size() : 0);
    }
    return absl::OkStatus();
  }

  rocksdb::WriteBatch* batch() { return &batch_; }

  // To be called once the batch has been written.
  void Written() {
    for (const std::string& table : new_tables_) {
      db_->AddTable(table);
    }
  }

 private:
  absl::Status EnterTenant(const TenantId& tenant) {
    ASSIGN_OR_RETURN(const std::optional<TenantHead> head, db_->ReadHead(tenant, nullptr));
    tenant_ = tenant;
    has_tenant_ = true;
    has_head_ = head.has_value() || new_tenants_.contains(tenant.value());
    prefix_ = EmbeddedKeyCodec::GenerationPrefix(tenant, head.value_or(TenantHead()).generation);
    journal_ = latches_->JournalOf(tenant);
    return absl::OkStatus();
  }

  void AddHead() {
    if (!has_head_) {
      batch_.Put(db_->heads(), tenant_.value(), EmbeddedKeyCodec::EncodeHead(TenantHead()));
      new_tenants_.insert(tenant_.value());
      has_head_ = true;
    }
  }

  void AddTable(const std::string& table) {
    if (table != last_table_ && !db_->HasTable(table) && new_tables_.insert(table).second) {
      batch_.Put(db_->tables(), table, {});
    }
    last_table_ = table;
  }

  EmbeddedDb* const db_;
  TenantLatches* const latches_;
  rocksdb::WriteBatch batch_;
  std::set<std::string> new_tables_;
  std::set<std::string> new_tenants_;
  std::string last_table_;

  // Of the last write's tenant:
  bool has_tenant_ = false;
  TenantId tenant_ = TenantId::Ownerless();
  bool has_head_ = false;
  std::string prefix_;
  WriteJournal* journal_ = nullptr;

  std::string key_;  // reused
};

absl::StatusOr<int64_t> CountRecords(const GenerationView& view) {
  int64_t records = 0;
  OverlaidReader reader(view, "", "", nullptr);
  for (; reader.Valid(); reader.Next()) {
    ++records;
  }
  RETURN_IF_ERROR(reader.status());
  return records;
}

}  // namespace

EmbeddedStore::EmbeddedStore() : latches_(std::make_unique<TenantLatches>()) {}

EmbeddedStore::~EmbeddedStore() = default;

absl::StatusOr<std::unique_ptr<EmbeddedStore>> EmbeddedStore::Open(EmbeddedStoreOptions options) {
  std::unique_ptr<EmbeddedStore> store(new EmbeddedStore());
  ASSIGN_OR_RETURN(store->db_, EmbeddedDb::Open(std::move(options)));
  ASSIGN_OR_RETURN(store->remover_, GenerationRemover::Start(store->db_.get()));
  return store;
}

absl::StatusOr<StoreIdentity> EmbeddedStore::Identity() {
  return StoreIdentity{.id = db_->store_id(), .address = db_->options().path};
}

absl::StatusOr<TenantMap> EmbeddedStore::Catalog() { return ReadMap(db_.get(), nullptr); }

absl::StatusOr<std::unique_ptr<Cut>> EmbeddedStore::OpenCut(const CutOptions& options) {
  return EmbeddedCut::Open(db_.get(), options.max_shards);
}

absl::StatusOr<std::unique_ptr<TenantSession>> EmbeddedStore::OpenTenant(
    const TenantId& tenant, const SessionOptions& options) {
  RETURN_IF_ERROR(db_->Fault("live.open_tenant"));
  if (tenant.is_ownerless()) {
    return MakeError(Reason::kTenantIdInvalid, "a session needs a tenant; the id is empty");
  }
  ASSIGN_OR_RETURN(std::unique_ptr<TenantLocks::Held> lock,
                   locks_.Take(tenant, options.lock_timeout, options.should_end));
  const EmbeddedParts parts{.db = db_.get(), .latches = latches_.get(), .remover = remover_.get()};
  return std::make_unique<EmbeddedSession>(parts, tenant, std::move(lock));
}

absl::StatusOr<SizeEstimate> EmbeddedStore::EstimateTenant(const TenantId& tenant) {
  ASSIGN_OR_RETURN(const std::optional<TenantHead> head, db_->ReadHead(tenant, nullptr));
  if (!head) {
    return SizeEstimate{};
  }
  const std::string begin = EmbeddedKeyCodec::GenerationPrefix(tenant, head->generation);
  const std::string end = EmbeddedKeyCodec::GenerationPrefix(tenant, head->generation + 1);
  SizeEstimate counted;
  ASSIGN_OR_RETURN(const bool all, CountFirst(*db_, begin, end, &counted));
  if (all) {
    return counted;
  }
  ASSIGN_OR_RETURN(const SizeEstimate size, EstimateRange(*db_, rocksdb::Range(begin, end)));
  return SizeEstimate{.rows = std::max(size.rows, counted.rows),
                      .bytes = std::max(size.bytes, counted.bytes)};
}

absl::StatusOr<std::unique_ptr<TenantCountStream>> EmbeddedStore::CountTenants() {
  return OpenTenantCounts(db_.get(), db_->TakeSnapshot());
}

absl::StatusOr<std::vector<int64_t>> EmbeddedStore::CountRowsOf(std::span<const TenantId> tenants) {
  const SnapshotPtr snapshot = db_->TakeSnapshot();
  std::vector<int64_t> rows;
  rows.reserve(tenants.size());
  for (const TenantId& tenant : tenants) {
    ASSIGN_OR_RETURN(const std::optional<TenantHead> head, db_->ReadHead(tenant, snapshot.get()));
    int64_t records = 0;
    if (head.has_value()) {
      ASSIGN_OR_RETURN(records, CountRecords({.db = db_.get(),
                                              .snapshot = snapshot,
                                              .tenant = tenant,
                                              .generation = head->generation}));
    }
    rows.push_back(records);
  }
  return rows;
}

StoreHealth EmbeddedStore::ProbeHealth() {
  if (absl::Status settled = db_->Settle(); !settled.ok()) {
    return {.writable = false, .pressure = "", .detail = std::string(settled.message())};
  }
  uint64_t stopped = 0;
  if (db_->raw()->GetIntProperty(rocksdb::DB::Properties::kIsWriteStopped, &stopped) &&
      stopped != 0) {
    return {.writable = true,
            .pressure = "write_stall",
            .detail = "Writes wait until compactions have caught up."};
  }
  uint64_t rate = 0;
  if (db_->raw()->GetIntProperty(rocksdb::DB::Properties::kActualDelayedWriteRate, &rate) &&
      rate != 0) {
    return {.writable = true,
            .pressure = "write_stall",
            .detail = absl::StrCat("Writes are slowed down to ", rate >> 10,
                                   " KiB/s, since compactions are behind.")};
  }
  return {};
}

absl::Status EmbeddedStore::Write(std::span<const RecordWrite> writes, bool sync) {
  std::vector<TenantId> tenants;
  for (const RecordWrite& write : writes) {
    RETURN_IF_ERROR(CheckRecordWrite(write));
    if (tenants.empty() || tenants.back() != write.tenant) {
      tenants.push_back(write.tenant);
    }
  }
  ApplicationBatch batch(db_.get(), latches_.get());
  const TenantLatches::Hold hold(latches_.get(), tenants);
  for (const RecordWrite& write : writes) {
    RETURN_IF_ERROR(batch.Add(write));
  }
  RETURN_IF_ERROR(sync ? db_->WriteSynced(batch.batch(), hold.shards())
                       : db_->Write(batch.batch()));
  batch.Written();
  return absl::OkStatus();
}

absl::StatusOr<std::optional<std::string>> EmbeddedStore::Get(const TenantId& tenant,
                                                              const std::string& table,
                                                              const RowKey& key) {
  // Without a snapshot the generation could be switched and removed between head and record.
  GenerationView view{.db = db_.get(), .snapshot = db_->TakeSnapshot(), .tenant = tenant};
  ASSIGN_OR_RETURN(const std::optional<TenantHead> head,
                   db_->ReadHead(tenant, view.snapshot.get()));
  if (!head) {
    return std::nullopt;
  }
  view.generation = head->generation;
  return view.Get(EmbeddedKeyCodec::Place(table, key.bytes()));
}

absl::StatusOr<std::unique_ptr<RecordStream>> EmbeddedStore::Scan(const TenantId& tenant,
                                                                  const std::string& table,
                                                                  const RowKey& from) {
  RETURN_IF_ERROR(CheckTableName(table));
  GenerationView view{.db = db_.get(), .snapshot = db_->TakeSnapshot(), .tenant = tenant};
  ASSIGN_OR_RETURN(const std::optional<TenantHead> head,
                   db_->ReadHead(tenant, view.snapshot.get()));
  view.generation = head.value_or(TenantHead()).generation;
  const std::string part = EmbeddedKeyCodec::TablePart(table);
  return std::make_unique<EmbeddedRecordStream>(
      std::make_unique<OverlaidReader>(view, part, part + from.bytes(), nullptr), part.size(),
      nullptr);
}

absl::StatusOr<int64_t> EmbeddedStore::DeleteTenant(const TenantId& tenant) {
  GenerationView old{.db = db_.get(), .snapshot = nullptr, .tenant = tenant};
  {
    const TenantLatches::Hold hold(latches_.get(), tenant);
    ASSIGN_OR_RETURN(const std::optional<TenantHead> now, db_->ReadHead(tenant, nullptr));
    if (!now) {
      return 0;
    }
    // What is counted is what was there at the switch.
    old.snapshot = db_->TakeSnapshot();
    old.generation = now->generation;
    const TenantHead head{.generation = now->next_generation,
                          .next_generation = now->next_generation + 1};
    rocksdb::WriteBatch batch;
    batch.Put(db_->heads(), tenant.value(), EmbeddedKeyCodec::EncodeHead(head));
    batch.Put(db_->meta(), EmbeddedKeyCodec::RetiredKey(tenant, old.generation), {});
    RETURN_IF_ERROR(db_->WriteSynced(&batch, hold.shards()));
    if (WriteJournal* journal = latches_->JournalOf(tenant); journal != nullptr) {
      journal->Break();
    }
  }
  remover_->Enqueue(tenant, old.generation);
  return CountRecords(old);
}

void EmbeddedStore::WaitUntilOldGenerationsAreRemoved() { remover_->WaitUntilDone(); }

}  // namespace reinstate

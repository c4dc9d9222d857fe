#include <algorithm>
#include <fstream>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/labels.h"
#include "storage/live/postgres/postgres_store.h"
#include "storage/live/postgres/row_codec.h"
#include "storage/model/key_parts.h"
#include "storage/model/vector_stream.h"
#include "tests/conformance/adapter.h"
#include "tests/conformance/postgres_application.h"
#include "tests/support/postgres_server.h"

namespace reinstate {
namespace {

// The suite's keys, payloads and names of tables are not those of the adapter, whose keys are made
// of columns' texts, whose payloads are lines of COPY and whose tables go by their OIDs. What
// follows translates, and does nothing else. Of the application's table of owners, if it has one,
// the suite does not know.
constexpr char kOwners[] = "directory.owners";

// Takes it out of a map, in which it comes last: what belongs to nobody else's path does.
void LeaveOutOwners(TenantMap* map) {
  if (!map->tables.empty() && map->tables.back().schema.name == kOwners) {
    map->tables.pop_back();
  }
}

RowKey ToAdapter(const RowKey& key) {
  std::string bytes;
  AppendKeyPart(key.bytes(), &bytes);
  return RowKey(bytes);
}

absl::StatusOr<Record> FromAdapter(const Record& record) {
  std::string_view key = record.key.bytes();
  Record ours;
  std::string text;
  std::vector<std::string_view> fields;
  SplitCopyLine(record.payload, &fields);
  if (!ConsumeKeyPart(&key, &text) || !key.empty() || fields.size() != 3 ||
      !AppendCopyValue(fields[2], &ours.payload)) {
    return MakeError(Reason::kInternal, "the adapter gave a row of another form");
  }
  ours.key = RowKey(text);
  return ours;
}

std::string PayloadOf(const std::string& owner, const RowKey& key, const std::string& value) {
  std::string line;
  AppendCopyField(owner, &line);
  line.push_back('\t');
  AppendCopyField(key.bytes(), &line);
  line.push_back('\t');
  AppendCopyField(value, &line);
  return line;
}

class TranslatedStream final : public RecordStream {
 public:
  explicit TranslatedStream(std::unique_ptr<RecordStream> stream) : stream_(std::move(stream)) {}

  absl::StatusOr<bool> Next(Record* record) override {
    Record theirs;
    ASSIGN_OR_RETURN(const bool more, stream_->Next(&theirs));
    if (more) {
      ASSIGN_OR_RETURN(*record, FromAdapter(theirs));
    }
    return more;
  }

 private:
  const std::unique_ptr<RecordStream> stream_;
};

class TranslatedRows final : public TenantRowStream {
 public:
  // Leaves out tables from the number `tables` on.
  TranslatedRows(std::unique_ptr<TenantRowStream> stream, size_t tables)
      : stream_(std::move(stream)), tables_(tables) {}

  absl::StatusOr<bool> Next(TenantRow* row) override {
    do {
      ASSIGN_OR_RETURN(const bool more, stream_->Next(row));
      if (!more) {
        return false;
      }
    } while (row->table >= tables_);
    ASSIGN_OR_RETURN(row->record, FromAdapter(row->record));
    return true;
  }

 private:
  const std::unique_ptr<TenantRowStream> stream_;
  const size_t tables_;
};

class TranslatedCut final : public Cut {
 public:
  explicit TranslatedCut(std::unique_ptr<Cut> cut) : cut_(std::move(cut)), info_(cut_->info()) {
    LeaveOutOwners(&info_.map);
    info_.map.label_source = "table tenant";
  }

  const CutInfo& info() const override { return info_; }
  int shards() const override { return cut_->shards(); }
  absl::StatusOr<std::unique_ptr<TenantRowStream>> OpenShard(int shard) override {
    ASSIGN_OR_RETURN(std::unique_ptr<TenantRowStream> rows, cut_->OpenShard(shard));
    return std::make_unique<TranslatedRows>(std::move(rows), info_.map.tables.size());
  }
  absl::StatusOr<int64_t> CountRows(uint32_t table) override {
    const bool is_none = table >= info_.map.tables.size();
    return cut_->CountRows(is_none ? std::numeric_limits<uint32_t>::max() : table);
  }

  // The suite's labels are records of the table named tenant; in PostgreSQL they are columns of a
  // table with a row a tenant, which the tests of the adapter itself look at.
  absl::StatusOr<std::unique_ptr<TenantLabelsStream>> OpenLabels() override {
    std::map<std::string, std::map<std::string, std::string>> found;
    for (int shard = 0; shard < shards(); ++shard) {
      ASSIGN_OR_RETURN(const std::unique_ptr<TenantRowStream> rows, OpenShard(shard));
      TenantRow row;
      while (true) {
        ASSIGN_OR_RETURN(const bool more, rows->Next(&row));
        if (!more) {
          break;
        }
        if (info_.map.tables[row.table].schema.name == "tenant") {
          found[row.tenant][row.record.key.bytes()] = LabelFromPayload(row.record.payload);
        }
      }
    }
    std::vector<TenantLabels> all;
    for (const auto& [tenant, labels] : found) {
      all.push_back({.tenant = TenantId::FromStored(tenant), .labels = {}});
      for (const auto& [key, label] : labels) {
        if (all.back().labels.size() < kMaxLabels) {
          all.back().labels.push_back(label);
        }
      }
    }
    return std::make_unique<LabelsVectorStream>(std::move(all));
  }

 private:
  const std::unique_ptr<Cut> cut_;
  CutInfo info_;
};

class TranslatedSession final : public TenantSession {
 public:
  // `owner` is what the tenant's rows have in the column owner.
  TranslatedSession(std::unique_ptr<TenantSession> session, PostgresApplication* application,
                    std::string owner)
      : session_(std::move(session)), application_(application), owner_(std::move(owner)) {}

  absl::Status Begin() override { return session_->Begin(); }
  absl::StatusOr<std::unique_ptr<RecordStream>> ReadTable(const std::string& table) override {
    ASSIGN_OR_RETURN(std::unique_ptr<RecordStream> stream,
                     session_->ReadTable(application_->IdentityOf(table)));
    return std::make_unique<TranslatedStream>(std::move(stream));
  }
  absl::StatusOr<std::unique_ptr<RecordStream>> ReadTableUnordered(
      const std::string& table) override {
    ASSIGN_OR_RETURN(std::unique_ptr<RecordStream> stream,
                     session_->ReadTableUnordered(application_->IdentityOf(table)));
    return std::make_unique<TranslatedStream>(std::move(stream));
  }
  absl::StatusOr<std::optional<TenantMap>> Catalog() override {
    ASSIGN_OR_RETURN(std::optional<TenantMap> map, session_->Catalog());
    if (map.has_value()) {
      LeaveOutOwners(&*map);
    }
    return map;
  }
  absl::StatusOr<std::vector<KeyState>> LookUp(const std::string& table,
                                               std::span<const RowKey> keys) override {
    std::vector<RowKey> theirs;
    std::transform(keys.begin(), keys.end(), std::back_inserter(theirs), ToAdapter);
    ASSIGN_OR_RETURN(std::vector<KeyState> states,
                     session_->LookUp(application_->IdentityOf(table), theirs));
    for (size_t i = 0; i < states.size(); ++i) {
      if (states[i].payload.has_value()) {
        ASSIGN_OR_RETURN(const Record record,
                         FromAdapter({.key = theirs[i], .payload = *states[i].payload}));
        states[i].payload = record.payload;
      }
    }
    return states;
  }
  absl::Status Apply(const Change& change) override {
    Change theirs = change;
    theirs.table = application_->IdentityOf(change.table);
    theirs.key = ToAdapter(change.key);
    if (change.kind != ChangeKind::kInsert) {
      theirs.old_payload = PayloadOf(owner_, change.key, change.old_payload);
    }
    if (change.kind != ChangeKind::kDelete) {
      theirs.new_payload = PayloadOf(owner_, change.key, change.new_payload);
    }
    return session_->Apply(theirs);
  }
  absl::StatusOr<CommitToken> Seal() override { return session_->Seal(); }
  absl::Status Commit(absl::Time deadline) override { return session_->Commit(deadline); }
  absl::Status Rollback() override { return session_->Rollback(); }
  absl::StatusOr<CommitOutcome> Resolve(const CommitToken& token) override {
    return session_->Resolve(token);
  }
  void Cancel() override { session_->Cancel(); }

 private:
  const std::unique_ptr<TenantSession> session_;
  PostgresApplication* const application_;
  const std::string owner_;
};

class TranslatedStore final : public LiveStore {
 public:
  TranslatedStore(LiveStore* store, PostgresApplication* application)
      : store_(store), application_(application) {}

  StoreCapabilities Capabilities() const override { return store_->Capabilities(); }
  absl::StatusOr<StoreIdentity> Identity() override { return store_->Identity(); }
  absl::StatusOr<TenantMap> Catalog() override {
    ASSIGN_OR_RETURN(TenantMap map, store_->Catalog());
    LeaveOutOwners(&map);
    return map;
  }
  absl::StatusOr<TenantId> CanonicalTenant(const TenantId& tenant) override {
    return store_->CanonicalTenant(tenant);
  }
  absl::StatusOr<std::unique_ptr<Cut>> OpenCut(const CutOptions& options) override {
    ASSIGN_OR_RETURN(std::unique_ptr<Cut> cut, store_->OpenCut(options));
    return std::make_unique<TranslatedCut>(std::move(cut));
  }
  absl::StatusOr<std::unique_ptr<TenantSession>> OpenTenant(
      const TenantId& tenant, const SessionOptions& options) override {
    ASSIGN_OR_RETURN(std::string owner, application_->OwnerOf(tenant));
    ASSIGN_OR_RETURN(std::unique_ptr<TenantSession> session, store_->OpenTenant(tenant, options));
    return std::make_unique<TranslatedSession>(std::move(session), application_, std::move(owner));
  }
  // Estimates are as good as the server's statistics.
  absl::StatusOr<SizeEstimate> EstimateTenant(const TenantId& tenant) override {
    RETURN_IF_ERROR(application_->Analyze());
    return store_->EstimateTenant(tenant);
  }
  absl::StatusOr<std::unique_ptr<TenantCountStream>> CountTenants() override {
    ASSIGN_OR_RETURN(const std::unique_ptr<TenantCountStream> counted, store_->CountTenants());
    std::vector<TenantCount> counts;
    TenantCount count;
    while (true) {
      ASSIGN_OR_RETURN(const bool more, counted->Next(&count));
      if (!more) {
        return std::make_unique<CountVectorStream>(std::move(counts));
      }
      count.rows -= application_->has_owners() ? 1 : 0;
      if (count.rows > 0) {
        counts.push_back(count);
      }
    }
  }
  absl::StatusOr<std::vector<int64_t>> CountRowsOf(std::span<const TenantId> tenants) override {
    ASSIGN_OR_RETURN(std::vector<int64_t> counts, store_->CountRowsOf(tenants));
    for (int64_t& rows : counts) {
      rows -= application_->has_owners() && rows > 0 ? 1 : 0;
    }
    return counts;
  }
  StoreHealth ProbeHealth() override { return store_->ProbeHealth(); }

 private:
  LiveStore* const store_;
  PostgresApplication* const application_;
};

class PostgresUnderTest final : public StoreUnderTest {
 public:
  PostgresUnderTest(std::unique_ptr<PostgresApplication> application,
                    std::unique_ptr<PostgresStore> store)
      : application_(std::move(application)),
        store_(std::move(store)),
        translated_(store_.get(), application_.get()) {}

  LiveStore* live() override { return &translated_; }
  RecordStore* application() override { return application_.get(); }

 private:
  const std::unique_ptr<PostgresApplication> application_;
  const std::unique_ptr<PostgresStore> store_;
  TranslatedStore translated_;
};

// A store's folder says which database it is.
std::string AddressFile(const StoreSetup& setup) { return setup.folder + "/database"; }

absl::Status Prepare(const StoreSetup& setup) {
  PostgresServer* const server = PostgresServer::Shared();
  std::ofstream(AddressFile(setup)) << server->OnSocket(server->MakeDatabase()) << "\n";
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<StoreUnderTest>> Open(const StoreSetup& setup,
                                                     PostgresApplication::Layout layout) {
  std::string conninfo;
  if (!std::getline(std::ifstream(AddressFile(setup)), conninfo)) {
    RETURN_IF_ERROR(Prepare(setup));
    std::getline(std::ifstream(AddressFile(setup)), conninfo);
  }
  PostgresStoreOptions options;
  options.connection.conninfo = conninfo;
  options.map.tenant_columns = {layout == PostgresApplication::Layout::kTenantColumn ? "owner"
                                                                                     : "tenant"};
  options.allow_superuser = true;
  options.clock = setup.clock;
  options.faults = setup.faults;
  ASSIGN_OR_RETURN(std::unique_ptr<PostgresApplication> application,
                   PostgresApplication::Open(conninfo, layout));
  std::unique_ptr<PostgresStore> store = PostgresStore::Create(std::move(options));
  return std::make_unique<PostgresUnderTest>(std::move(application), std::move(store));
}

Adapter AdapterWith(std::string name, PostgresApplication::Layout layout) {
  return {.name = std::move(name),
          .capabilities = {.resolves_tokens = false, .keys_span_tenants = true},
          .outlives_process = true,
          .any_bytes = false,
          .goes_by_clock = false,
          .crashes = {"live.apply=crash@150", "live.seal=crash@2", "live.before_commit=crash@3",
                      "live.after_commit=crash@3"},
          .prepare = Prepare,
          .open = [layout](const StoreSetup& setup) { return Open(setup, layout); }};
}

}  // namespace

Adapter PostgresAdapter() {
  return AdapterWith("postgres", PostgresApplication::Layout::kTenantColumn);
}

Adapter PostgresPathAdapter() {
  return AdapterWith("postgres_path", PostgresApplication::Layout::kOwnersTable);
}

}  // namespace reinstate

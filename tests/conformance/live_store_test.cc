#include "tests/conformance/live_store_test.h"

#include <utility>

namespace reinstate {

Change Insert(std::string table, std::string key, std::string payload) {
  return {.kind = ChangeKind::kInsert,
          .table = std::move(table),
          .key = RowKey(std::move(key)),
          .old_payload = "",
          .new_payload = std::move(payload)};
}

Change Replace(std::string table, std::string key, std::string before, std::string after) {
  return {.kind = ChangeKind::kReplace,
          .table = std::move(table),
          .key = RowKey(std::move(key)),
          .old_payload = std::move(before),
          .new_payload = std::move(after)};
}

Change Delete(std::string table, std::string key, std::string before) {
  return {.kind = ChangeKind::kDelete,
          .table = std::move(table),
          .key = RowKey(std::move(key)),
          .old_payload = std::move(before),
          .new_payload = ""};
}

void LiveStoreTest::Open() {
  store_ = nullptr;
  auto opened = GetParam().open({.folder = folder_.path(), .faults = &faults_, .clock = &clock_});
  ASSERT_THAT(opened, IsOk());
  store_ = *std::move(opened);
}

void LiveStoreTest::Put(const TenantId& tenant, const std::string& table, const std::string& key,
                        const std::string& payload) {
  const RecordWrite write{.tenant = tenant, .table = table, .key = RowKey(key), .payload = payload};
  EXPECT_THAT(application()->Write({&write, 1}, /*sync=*/false), IsOk());
}

void LiveStoreTest::Erase(const TenantId& tenant, const std::string& table,
                          const std::string& key) {
  const RecordWrite write{
      .tenant = tenant, .table = table, .key = RowKey(key), .payload = std::nullopt};
  EXPECT_THAT(application()->Write({&write, 1}, /*sync=*/false), IsOk());
}

Rows LiveStoreTest::Live(const TenantId& tenant, const std::string& table) {
  auto stream = application()->Scan(tenant, table, RowKey());
  EXPECT_THAT(stream, IsOk());
  return stream.ok() ? ReadAll(stream->get()) : Rows();
}

StoreContents LiveStoreTest::Everything() {
  auto cut = live()->OpenCut({.max_shards = 3});
  EXPECT_THAT(cut, IsOk());
  return cut.ok() ? ReadAll(cut->get()) : StoreContents();
}

std::unique_ptr<TenantSession> LiveStoreTest::Session(const TenantId& tenant,
                                                      absl::Duration lock_timeout) {
  auto session =
      live()->OpenTenant(tenant, {.purpose = "conformance", .lock_timeout = lock_timeout});
  EXPECT_THAT(session, IsOk());
  return session.ok() ? *std::move(session) : nullptr;
}

std::unique_ptr<TenantSession> LiveStoreTest::Transaction(const TenantId& tenant) {
  std::unique_ptr<TenantSession> session = Session(tenant);
  EXPECT_THAT(session->Begin(), IsOk());
  return session;
}

Rows LiveStoreTest::Read(TenantSession* session, const std::string& table) {
  auto stream = session->ReadTable(table);
  EXPECT_THAT(stream, IsOk());
  return stream.ok() ? ReadAll(stream->get()) : Rows();
}

void LiveStoreTest::Apply(TenantSession* session, const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    ASSERT_THAT(session->Apply(change), IsOk());
  }
}

absl::Status LiveStoreTest::SealAndCommit(TenantSession* session, CommitToken* token) {
  absl::StatusOr<CommitToken> sealed = session->Seal();
  if (!sealed.ok()) {
    return sealed.status();
  }
  if (token != nullptr) {
    *token = *sealed;
  }
  return session->Commit(Soon());
}

CommitOutcome LiveStoreTest::Resolve(const TenantId& tenant, const CommitToken& token) {
  auto outcome = Session(tenant)->Resolve(token);
  EXPECT_THAT(outcome, IsOk());
  return outcome.value_or(CommitOutcome::kNotKnown);
}

Rows ReadAll(RecordStream* stream) {
  Rows rows;
  Record record;
  std::optional<std::string> last;
  while (true) {
    const absl::StatusOr<bool> more = stream->Next(&record);
    EXPECT_THAT(more, IsOk());
    if (!more.ok() || !*more) {
      return rows;
    }
    if (last) {
      EXPECT_LT(*last, record.key.bytes()) << "keys ascend bytewise";
    }
    last = record.key.bytes();
    rows[record.key.bytes()] = record.payload;
  }
}

StoreContents ReadAll(Cut* cut) {
  StoreContents rows;
  for (int shard = 0; shard < cut->shards(); ++shard) {
    auto stream = cut->OpenShard(shard);
    EXPECT_THAT(stream, IsOk());
    TenantRow row;
    absl::StatusOr<bool> more = (*stream)->Next(&row);
    for (; more.ok() && *more; more = (*stream)->Next(&row)) {
      const std::string& table = cut->info().map.tables.at(row.table).schema.name;
      EXPECT_TRUE(
          rows.try_emplace({row.tenant, table, row.record.key.bytes()}, row.record.payload).second)
          << "each row is in exactly one shard";
    }
    EXPECT_THAT(more, IsOk());
  }
  return rows;
}

std::string AdapterName(const testing::TestParamInfo<Adapter>& info) { return info.param.name; }

testing::Matcher<CommitOutcome> MayResolveTo(const Adapter& adapter, CommitOutcome truth) {
  if (adapter.capabilities.resolves_tokens) {
    return testing::Eq(truth);
  }
  return testing::AnyOf(truth, CommitOutcome::kNotKnown);
}

std::vector<Adapter> AdaptersThat(const std::function<bool(const Adapter&)>& has) {
  std::vector<Adapter> adapters;
  for (const Adapter& adapter : AllAdapters()) {
    if (has(adapter)) {
      adapters.push_back(adapter);
    }
  }
  return adapters;
}

}  // namespace reinstate

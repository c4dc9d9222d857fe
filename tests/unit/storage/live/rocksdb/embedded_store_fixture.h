#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "storage/live/rocksdb/embedded_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace reinstate {

// An embedded store in a temporary folder.
class EmbeddedStoreFixture : public testing::Test {
 protected:
  EmbeddedStoreFixture() {
    options_.path = folder_.path() + "/store";
    options_.block_cache_bytes = 4 << 20;
    options_.write_buffer_bytes = 12 << 20;
  }

  absl::Status Open() {
    store_ = nullptr;
    auto opened = EmbeddedStore::Open(options_);
    if (opened.ok()) {
      store_ = *std::move(opened);
    }
    return opened.status();
  }

  absl::Status Put(const std::string& key, const std::string& payload, bool sync = true) {
    const RecordWrite write{
        .tenant = tenant_, .table = "issue", .key = RowKey(key), .payload = payload};
    return store_->Write({&write, 1}, sync);
  }

  std::map<std::string, std::string> Rows() {
    std::map<std::string, std::string> rows;
    auto stream = store_->Scan(tenant_, "issue", RowKey());
    EXPECT_THAT(stream, IsOk());
    Record record;
    absl::StatusOr<bool> more = (*stream)->Next(&record);
    for (; more.ok() && *more; more = (*stream)->Next(&record)) {
      rows[record.key.bytes()] = record.payload;
    }
    EXPECT_THAT(more, IsOk());
    return rows;
  }

  std::unique_ptr<TenantSession> Begin() {
    auto session = store_->OpenTenant(tenant_, {});
    EXPECT_THAT(session, IsOk());
    EXPECT_THAT((*session)->Begin(), IsOk());
    return *std::move(session);
  }

  static Change Insert(const std::string& key, const std::string& payload) {
    return {.kind = ChangeKind::kInsert,
            .table = "issue",
            .key = RowKey(key),
            .old_payload = "",
            .new_payload = payload};
  }

  // Seals and commits, whatever the outcome; `token` may be null.
  static absl::Status SealAndCommit(TenantSession* session, CommitToken* token = nullptr) {
    const auto sealed = session->Seal();
    if (!sealed.ok()) {
      return sealed.status();
    }
    if (token != nullptr) {
      *token = *sealed;
    }
    return session->Commit(absl::Now() + absl::Minutes(1));
  }

  const TenantId tenant_ = TenantId::FromStored("acme");
  TempDir folder_;
  EmbeddedStoreOptions options_;
  std::unique_ptr<EmbeddedStore> store_;
};

}  // namespace reinstate

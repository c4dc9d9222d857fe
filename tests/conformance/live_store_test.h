#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "tests/conformance/adapter.h"
#include "tests/support/manual_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace reinstate {

using Rows = std::map<std::string, std::string>;  // payloads by key
// All rows of a store: payloads by tenant, table and key.
using StoreContents = std::map<std::tuple<std::string, std::string, std::string>, std::string>;

inline TenantId Tenant(std::string text) { return TenantId::FromStored(std::move(text)); }

Change Insert(std::string table, std::string key, std::string payload);
Change Replace(std::string table, std::string key, std::string before, std::string after);
Change Delete(std::string table, std::string key, std::string before);

// A fresh store of the adapter that the test is run for, and short words for what tests do with it.
class LiveStoreTest : public testing::TestWithParam<Adapter> {
 protected:
  void SetUp() override { Open(); }

  // Opens the store, after closing it if it is open.
  void Open();

  LiveStore* live() { return store_->live(); }
  RecordStore* application() { return store_->application(); }

  // The application's writes.
  void Put(const TenantId& tenant, const std::string& table, const std::string& key,
           const std::string& payload);
  void Erase(const TenantId& tenant, const std::string& table, const std::string& key);

  // What the application sees of one table.
  Rows Live(const TenantId& tenant, const std::string& table);

  // What a cut of the whole store holds.
  StoreContents Everything();

  // A session that holds the lock, with a transaction begun if asked for.
  std::unique_ptr<TenantSession> Session(const TenantId& tenant,
                                         absl::Duration lock_timeout = absl::Seconds(30));
  std::unique_ptr<TenantSession> Transaction(const TenantId& tenant);

  // What the session's transaction sees of a table.
  static Rows Read(TenantSession* session, const std::string& table);

  static void Apply(TenantSession* session, const std::vector<Change>& changes);

  // Seals and commits; the outcome of Commit.
  absl::Status SealAndCommit(TenantSession* session, CommitToken* token = nullptr);

  // What a later session finds out about `token`.
  CommitOutcome Resolve(const TenantId& tenant, const CommitToken& token);

  absl::Time Soon() const { return clock_.Now() + absl::Minutes(1); }

  TempDir folder_;
  ManualClock clock_;
  FaultPoints faults_;
  std::unique_ptr<StoreUnderTest> store_;
};

// Reads a stream to its end.
Rows ReadAll(RecordStream* stream);
StoreContents ReadAll(Cut* cut);

std::string AdapterName(const testing::TestParamInfo<Adapter>& info);

// What Resolve may say if the truth is `truth`: that it does not know only if the adapter does not
// promise to settle every token.
testing::Matcher<CommitOutcome> MayResolveTo(const Adapter& adapter, CommitOutcome truth);

// The adapters that `has` is true of.
std::vector<Adapter> AdaptersThat(const std::function<bool(const Adapter&)>& has);

}  // namespace reinstate

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/unit/server/rpc/rpc_site.h"

namespace reinstate {
namespace {

// A restore that waits where it would commit, until it is let go.
class HeldRestore {
 public:
  explicit HeldRestore(RpcSite* site) : site_(site) {
    site_->faults().Arm("live.seal", [this] {
      while (!released_) {
        absl::SleepFor(absl::Milliseconds(1));
      }
      return absl::OkStatus();
    });
  }
  ~HeldRestore() { Release(); }
  HeldRestore(const HeldRestore&) = delete;
  HeldRestore& operator=(const HeldRestore&) = delete;

  void Release() { released_ = true; }

 private:
  RpcSite* const site_;
  std::atomic<bool> released_ = false;
};

v1::Restore Create(RpcSite* site) {
  v1::CreateRestoreRequest request;
  request.mutable_spec()->set_store("main");
  request.mutable_spec()->set_tenant("acme");
  request.mutable_spec()->set_at("latest");
  v1::Restore restore;
  EXPECT_EQ(ReasonOf(site->restores().CreateRestore(NewContext().get(), request, &restore)), "OK");
  return restore;
}

void Lose(RpcSite* site) {
  site->Put("acme", "issue", "1", "one");
  site->TakeSnapshot();
  site->DeleteTenant("acme");
}

TEST(WatchRestore, SendsTheStateAtOnceAndEndsAfterTheFinalOne) {
  RpcSite site;
  Lose(&site);
  HeldRestore held(&site);
  v1::WatchRestoreRequest watch;
  watch.set_restore(Create(&site).id());
  const auto context = NewContext();
  const auto stream = site.restores().WatchRestore(context.get(), watch);
  v1::Restore restore;
  ASSERT_TRUE(stream->Read(&restore));
  EXPECT_TRUE(restore.state() == v1::RESTORE_STATE_QUEUED ||
              restore.state() == v1::RESTORE_STATE_RUNNING);
  held.Release();
  while (stream->Read(&restore)) {
  }
  EXPECT_EQ(ReasonOf(stream->Finish()), "OK");
  EXPECT_EQ(restore.state(), v1::RESTORE_STATE_SUCCEEDED) << restore.DebugString();
}

TEST(WatchRestore, SendsAFinalStateToWhoComesLate) {
  RpcSite site;
  Lose(&site);
  const v1::Restore first = site.WaitFor(Create(&site).id());
  const v1::Restore again = site.WaitFor(first.id());
  EXPECT_EQ(first.SerializeAsString(), again.SerializeAsString());
}

TEST(WatchRestore, IsEndedByAShutdownThatItDoesNotHoldUp) {
  RpcSite site;
  Lose(&site);
  HeldRestore held(&site);
  v1::WatchRestoreRequest watch;
  watch.set_restore(Create(&site).id());
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::Restore>>> streams;
  v1::Restore restore;
  for (int i = 0; i < 20; ++i) {
    contexts.push_back(NewContext());
    streams.push_back(site.restores().WatchRestore(contexts.back().get(), watch));
    ASSERT_TRUE(streams.back()->Read(&restore));
  }
  site.gate().Drain();
  for (const auto& stream : streams) {
    while (stream->Read(&restore)) {
    }
    EXPECT_EQ(ReasonOf(stream->Finish()), "SHUTTING_DOWN");
  }
  v1::ListStoresResponse response;
  EXPECT_EQ(ReasonOf(site.stores().ListStores(NewContext().get(), {}, &response)), "SHUTTING_DOWN");
  const auto context = NewContext();
  const auto late = site.restores().WatchRestore(context.get(), watch);
  EXPECT_FALSE(late->Read(&restore));
  EXPECT_EQ(ReasonOf(late->Finish()), "SHUTTING_DOWN");
  held.Release();
  const absl::Time start = absl::Now();
  site.Shutdown();
  EXPECT_LT(absl::Now() - start, absl::Seconds(20));
}

TEST(WatchRestore, GoesAwayWithItsClientAndCancelsNothing) {
  RpcSite site;
  Lose(&site);
  HeldRestore held(&site);
  const std::string id = Create(&site).id();
  v1::WatchRestoreRequest watch;
  watch.set_restore(id);
  {
    const auto context = NewContext();
    const auto stream = site.restores().WatchRestore(context.get(), watch);
    v1::Restore restore;
    ASSERT_TRUE(stream->Read(&restore));
    context->TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  held.Release();
  EXPECT_EQ(site.WaitFor(id).state(), v1::RESTORE_STATE_SUCCEEDED);
}

TEST(Watches, MoreThanThereAreThreadsHoldNobodyUp) {
  RpcSite site({.pool = {.threads = 1, .max_queued = 8}, .read_only = absl::OkStatus()});
  Lose(&site);
  HeldRestore held(&site);
  v1::WatchRestoreRequest watch;
  watch.set_restore(Create(&site).id());
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::Restore>>> streams;
  v1::Restore restore;
  for (int i = 0; i < 10; ++i) {
    contexts.push_back(NewContext());
    streams.push_back(site.restores().WatchRestore(contexts.back().get(), watch));
    ASSERT_TRUE(streams.back()->Read(&restore));
  }
  v1::ListStoresResponse response;
  EXPECT_EQ(ReasonOf(site.stores().ListStores(NewContext().get(), {}, &response)), "OK");
  held.Release();
  for (const auto& stream : streams) {
    while (stream->Read(&restore)) {
    }
    EXPECT_EQ(ReasonOf(stream->Finish()), "OK");
  }
}

v1::WriteRequest Puts(int first, int count, size_t payload_bytes) {
  v1::WriteRequest request;
  for (int i = first; i < first + count; ++i) {
    v1::Record* record = request.add_operations()->mutable_put();
    record->set_tenant("acme");
    record->set_table("issue");
    record->set_key(absl::StrCat(1'000'000 + i));
    record->set_payload(std::string(payload_bytes, static_cast<char>('a' + i % 26)));
  }
  return request;
}

TEST(BulkWrite, AppliesAllMessagesAndScanReadsThemBackInOrder) {
  RpcSite site;
  const auto context = NewContext();
  v1::WriteResponse response;
  const auto writer = site.records().Write(context.get(), &response);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(writer->Write(Puts(i * 100, 100, 300)));
  }
  v1::WriteRequest erase;
  v1::RecordKey* key = erase.add_operations()->mutable_delete_();
  key->set_tenant("acme");
  key->set_table("issue");
  key->set_key("1000000");
  ASSERT_TRUE(writer->Write(erase));
  ASSERT_TRUE(writer->Write(v1::WriteRequest()));
  writer->WritesDone();
  ASSERT_EQ(ReasonOf(writer->Finish()), "OK");
  EXPECT_EQ(response.puts(), 5000);
  EXPECT_EQ(response.deletes(), 1);
  EXPECT_EQ(response.bytes_put(), 5000 * 307);

  v1::ScanRequest scan;
  scan.set_tenant("acme");
  scan.set_table("issue");
  const auto scan_context = NewContext();
  const auto reader = site.records().Scan(scan_context.get(), scan);
  v1::ScanResponse part;
  int next = 1;
  while (reader->Read(&part)) {
    EXPECT_LT(part.ByteSizeLong(), 300'000);
    for (const v1::Record& record : part.records()) {
      ASSERT_EQ(record.key(), absl::StrCat(1'000'000 + next));
      ++next;
    }
  }
  EXPECT_EQ(ReasonOf(reader->Finish()), "OK");
  EXPECT_EQ(next, 5000);
}

TEST(BulkWrite, RefusesABadOperationWithItsPlaceAndAppliesNothingOfItsMessage) {
  RpcSite site;
  const auto context = NewContext();
  v1::WriteResponse response;
  const auto writer = site.records().Write(context.get(), &response);
  v1::WriteRequest request = Puts(0, 3, 10);
  request.mutable_operations(2)->mutable_put()->clear_key();
  writer->Write(request);
  writer->WritesDone();
  const WireError error = ReadError(writer->Finish());
  EXPECT_EQ(error.reason, "INVALID_ARGUMENT");
  EXPECT_EQ(error.field, "operations[2].put.key");
  EXPECT_EQ(*site.store().Get(*TenantId::Parse("acme"), "issue", RowKey("1000000")), std::nullopt);
}

TEST(BulkWrite, RefusesTooManyOperationsUnknownStoresAndAChangeOfStore) {
  RpcSite site;
  const auto write = [&](const std::vector<v1::WriteRequest>& requests) {
    const auto context = NewContext();
    v1::WriteResponse response;
    const auto writer = site.records().Write(context.get(), &response);
    for (const v1::WriteRequest& request : requests) {
      writer->Write(request);
    }
    writer->WritesDone();
    return ReasonOf(writer->Finish());
  };
  v1::WriteRequest unknown = Puts(0, 1, 1);
  unknown.set_store("nope");
  v1::WriteRequest main = Puts(0, 1, 1);
  main.set_store("main");
  EXPECT_EQ(write({Puts(0, 10'001, 1)}), "INVALID_ARGUMENT");
  EXPECT_EQ(write({unknown}), "STORE_NOT_FOUND");
  EXPECT_EQ(write({main, unknown}), "INVALID_ARGUMENT");
  EXPECT_EQ(write({v1::WriteRequest(), main}), "INVALID_ARGUMENT");
  EXPECT_EQ(write({main, Puts(1, 1, 1)}), "OK");
  EXPECT_EQ(write({}), "OK");
}

TEST(BulkWrite, IsEndedByAShutdownWhileItsClientIsSilent) {
  RpcSite site;
  const auto context = NewContext();
  v1::WriteResponse response;
  const auto writer = site.records().Write(context.get(), &response);
  ASSERT_TRUE(writer->Write(Puts(0, 1, 1)));
  site.gate().Drain();
  EXPECT_EQ(ReasonOf(writer->Finish()), "SHUTTING_DOWN");
}

TEST(Scan, KeepsToItsRangeAndLimit) {
  RpcSite site;
  for (const char* key : {"a", "b", "c", "d"}) {
    site.Put("acme", "issue", key, "payload");
  }
  const auto scan = [&](const std::string& start, const std::string& end, int64_t limit,
                        bool keys_only) {
    v1::ScanRequest request;
    request.set_tenant("acme");
    request.set_table("issue");
    request.set_start_key(start);
    request.set_end_key(end);
    request.set_limit(limit);
    request.set_keys_only(keys_only);
    const auto context = NewContext();
    const auto reader = site.records().Scan(context.get(), request);
    v1::ScanResponse part;
    std::string found;
    while (reader->Read(&part)) {
      for (const v1::Record& record : part.records()) {
        found += record.key();
        EXPECT_EQ(record.payload(), keys_only ? "" : "payload");
      }
    }
    EXPECT_EQ(ReasonOf(reader->Finish()), "OK");
    return found;
  };
  EXPECT_EQ(scan("", "", 0, false), "abcd");
  EXPECT_EQ(scan("b", "", 0, true), "bcd");
  EXPECT_EQ(scan("b", "d", 0, false), "bc");
  EXPECT_EQ(scan("", "", 2, false), "ab");
  EXPECT_EQ(scan("x", "", 0, false), "");
}

TEST(Scan, IsEndedByAShutdownWhileItsClientDoesNotRead) {
  RpcSite site;
  for (int i = 0; i < 64; ++i) {
    site.Put("acme", "issue", absl::StrCat(i), std::string(256 << 10, 'x'));
  }
  v1::ScanRequest request;
  request.set_tenant("acme");
  request.set_table("issue");
  const auto context = NewContext();
  const auto reader = site.records().Scan(context.get(), request);
  v1::ScanResponse part;
  ASSERT_TRUE(reader->Read(&part));
  site.gate().Drain();
  while (reader->Read(&part)) {
  }
  EXPECT_EQ(ReasonOf(reader->Finish()), "SHUTTING_DOWN");
}

TEST(CompareTenant, CountsTableByTable) {
  RpcSite site;
  for (int i = 0; i < 100; ++i) {
    site.Put("acme", "issue", absl::StrCat(i), "then");
  }
  site.Put("acme", "note", "1", "kept");
  site.TakeSnapshot();
  site.Put("acme", "issue", "0", "now");
  site.Put("acme", "issue", "new", "now");
  const RecordWrite gone{*TenantId::Parse("acme"), "issue", RowKey("99"), std::nullopt};
  ASSERT_TRUE(site.store().Write({&gone, 1}, true).ok());
  v1::CompareTenantRequest request;
  request.set_store("main");
  request.set_tenant("acme");
  request.set_at("latest");
  const auto context = NewContext();
  const auto reader = site.tenants().CompareTenant(context.get(), request);
  v1::CompareTenantResponse response;
  while (reader->Read(&response)) {
  }
  ASSERT_EQ(ReasonOf(reader->Finish()), "OK");
  const v1::TenantComparison& comparison = response.comparison();
  EXPECT_FALSE(comparison.equal());
  ASSERT_EQ(comparison.tables_size(), 2);
  EXPECT_EQ(comparison.tables(0).table(), "issue");
  EXPECT_EQ(comparison.tables(0).equal(), 98);
  EXPECT_EQ(comparison.tables(0).differs(), 1);
  EXPECT_EQ(comparison.tables(0).only_in_history(), 1);
  EXPECT_EQ(comparison.tables(0).only_live(), 1);
  EXPECT_EQ(comparison.tables(1).equal(), 1);
}

}  // namespace
}  // namespace reinstate

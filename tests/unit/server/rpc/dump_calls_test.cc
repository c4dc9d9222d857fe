#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/dump_parts.h"
#include "server/rpc/tenant_export.h"
#include "storage/model/vector_stream.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/server/rpc/rpc_site.h"

namespace reinstate {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Exported {
  WireError error;
  v1::DumpHeader header;
  std::vector<v1::DumpRow> rows;
  bool ended = false;
  size_t largest_message = 0;
};

class DumpCalls : public ::testing::Test {
 protected:
  DumpCalls() {
    site_.Put("a", "tenant", "name", "Acme");
    site_.Put("a", "issue", "1", "one");
    site_.Put("b", "issue", "1", "other");
    site_.TakeSnapshot();
  }

  Exported Export(const std::string& tenant, const std::string& at) {
    v1::ExportTenantRequest request;
    request.set_store("main");
    request.set_tenant(tenant);
    request.set_at(at);
    const auto context = NewContext();
    const auto stream = site_.tenants().ExportTenant(context.get(), request);
    Exported exported;
    DumpRowJoiner joiner;
    v1::ExportTenantResponse part;
    while (stream->Read(&part)) {
      exported.largest_message = std::max(exported.largest_message, part.ByteSizeLong());
      if (part.has_header()) {
        exported.header = part.header();
      }
      for (const v1::DumpRow& row : part.rows().rows()) {
        if (joiner.Add(row)) {
          exported.rows.push_back(joiner.row());
        }
      }
      exported.ended = part.has_end();
    }
    exported.error = ReadError(stream->Finish());
    return exported;
  }

  // The messages of a dump of two tables and two rows.
  static std::vector<v1::ImportSnapshotRequest> Dump() {
    std::vector<v1::ImportSnapshotRequest> parts(3);
    parts[0].set_store("main");
    parts[0].mutable_header()->mutable_instant()->set_seconds(1'700'000'000);
    parts[0].mutable_header()->add_tables()->set_table("tenant");
    parts[0].mutable_header()->add_tables()->set_table("issue");
    parts[1].mutable_rows()->set_tenant("a");
    parts[1].mutable_rows()->set_table(1);
    for (const char* key : {"1", "2"}) {
      v1::DumpRow* row = parts[1].mutable_rows()->add_rows();
      row->add_key(key);
      row->add_values()->set_value("from the dump");
    }
    parts[2].mutable_end()->add_rows(0);
    parts[2].mutable_end()->add_rows(2);
    return parts;
  }

  WireError Import(const std::vector<v1::ImportSnapshotRequest>& parts) {
    const auto context = NewContext();
    const auto stream = site_.snapshots().ImportSnapshot(context.get(), &job_);
    for (const v1::ImportSnapshotRequest& part : parts) {
      stream->Write(part);
    }
    stream->WritesDone();
    return ReadError(stream->Finish());
  }

  v1::Job EndOfJob() {
    v1::WatchJobRequest watch;
    watch.set_job(job_.id());
    const auto context = NewContext();
    const auto stream = site_.jobs().WatchJob(context.get(), watch);
    v1::Job job;
    while (stream->Read(&job)) {
    }
    return job;
  }

  // An import ends before its file is removed, so that it is waited for.
  bool NothingIsLeft() const {
    const absl::Time until = absl::Now() + absl::Seconds(20);
    while (!std::filesystem::is_empty(site_.imports_path())) {
      if (absl::Now() > until) {
        return false;
      }
      absl::SleepFor(absl::Milliseconds(1));
    }
    return true;
  }

  std::vector<std::string> Audited(const std::string& subject) {
    std::vector<std::string> actions;
    const auto entries = site_.state().ListAudit(0, 1000);
    EXPECT_THAT(entries, IsOk());
    for (const auto& entry : *entries) {
      if (entry.subject() == subject) {
        actions.push_back(entry.action());
      }
    }
    return actions;
  }

  RpcSite site_;
  v1::Job job_;
};

TEST_F(DumpCalls, ExportsRowsWithHeaderAndEnd) {
  const Exported exported = Export("a", "latest");
  EXPECT_EQ(exported.error.reason, "OK");
  EXPECT_TRUE(exported.ended);
  EXPECT_EQ(exported.header.counts().rows(), 2);
  ASSERT_EQ(exported.rows.size(), 2U);
  EXPECT_EQ(exported.rows[0].key(0), "1");
  EXPECT_EQ(exported.rows[0].values(0).value(), "one");
}

TEST_F(DumpCalls, SendsLongRowsInPartsAndManyInBoundedMessages) {
  const std::string large(5 << 20, 'x');
  site_.Put("c", "issue", "1", "short");
  site_.Put("c", "issue", "2", large);
  for (int i = 0; i < 2000; ++i) {
    site_.Put("c", "issue", absl::StrCat("3-", i), std::string(1000, 'y'));
  }
  site_.TakeSnapshot();
  const Exported exported = Export("c", "latest");
  EXPECT_EQ(exported.error.reason, "OK");
  ASSERT_EQ(exported.rows.size(), 2002U);
  EXPECT_EQ(exported.rows[0].values(0).value(), "short");
  EXPECT_TRUE(exported.rows[1].values(0).value() == large);
  EXPECT_LT(exported.largest_message, size_t{3} << 19);
}

// A reader whose rows end too soon, or not.
class ShortReader final : public PointReader {
 public:
  ShortReader(std::unique_ptr<PointReader> whole, bool is_short)
      : whole_(std::move(whole)), short_(is_short) {}

  const SnapshotInfo& snapshot() const override { return whole_->snapshot(); }
  const RecordHasher& hasher() const override { return whole_->hasher(); }
  absl::StatusOr<TenantManifest> GetTenant(const TenantId& tenant) const override {
    return whole_->GetTenant(tenant);
  }
  absl::StatusOr<std::optional<Peak>> PeakBefore(const TenantId& tenant) const override {
    return whole_->PeakBefore(tenant);
  }
  absl::StatusOr<std::vector<TenantManifest>> ListTenants(const std::optional<TenantId>& after,
                                                          int64_t limit) const override {
    return whole_->ListTenants(after, limit);
  }
  absl::StatusOr<std::unique_ptr<RecordStream>> ReadTable(const TenantId& tenant,
                                                          uint32_t table) const override {
    class Stream final : public RecordStream {
     public:
      absl::StatusOr<bool> Next(Record* /*record*/) override {
        return MakeError(Reason::kShortfall, "rows are missing");
      }
    };
    if (short_) {
      return std::make_unique<Stream>();
    }
    return whole_->ReadTable(tenant, table);
  }

 private:
  const std::unique_ptr<PointReader> whole_;
  const bool short_;
};

TEST_F(DumpCalls, SendsNoEndOfWhatDoesNotAddUp) {
  for (const bool is_short : {false, true}) {
    ExportOrder order;
    order.store = "main";
    order.tenant = TenantId::FromStored("a");
    auto point = site_.history().OpenPoint({.lineage = 1, .version = 1});
    ASSERT_THAT(point, IsOk());
    auto source = MakeTenantExport(
        order, std::make_unique<ShortReader>(*std::move(point), is_short), &site_.state());
    ASSERT_THAT(source, IsOk());
    bool ended = false;
    absl::StatusOr<Produced> produced = Produced::kMessage;
    while (produced.ok() && *produced == Produced::kMessage) {
      v1::ExportTenantResponse part;
      produced = (*source)->Next(&part);
      ended = ended || part.has_end();
    }
    EXPECT_EQ(ended, !is_short);
    EXPECT_EQ(HasReason(produced.status(), Reason::kShortfall), is_short);
  }
  EXPECT_THAT(Audited("a"), ElementsAre("tenant.export_ordered", "tenant.exported",
                                        "tenant.export_ordered", "tenant.export_failed"));
}

TEST_F(DumpCalls, TellsOfAnExportThatItsClientLeft) {
  ExportOrder order;
  order.store = "main";
  order.tenant = TenantId::FromStored("a");
  auto point = site_.history().OpenPoint({.lineage = 1, .version = 1});
  ASSERT_THAT(point, IsOk());
  ASSERT_THAT(MakeTenantExport(order, *std::move(point), &site_.state()), IsOk());
  EXPECT_THAT(Audited("a"), ElementsAre("tenant.export_ordered", "tenant.export_failed"));
}

TEST_F(DumpCalls, ImportsADumpAsALineageOfItsOwn) {
  ASSERT_EQ(Import(Dump()).reason, "OK");
  const v1::Job job = EndOfJob();
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.DebugString();
  EXPECT_EQ(job.kind(), v1::JOB_KIND_IMPORT);
  EXPECT_EQ(job.snapshot(), "snap-2-1");
  EXPECT_TRUE(NothingIsLeft());
  const Exported exported = Export("a", "imported/latest");
  ASSERT_EQ(exported.rows.size(), 2U);
  EXPECT_EQ(exported.rows[1].values(0).value(), "from the dump");
  EXPECT_EQ(Export("b", "imported/latest").error.reason, "TENANT_NOT_AT_POINT");
  EXPECT_EQ(Export("b", "latest").rows.size(), 1U);
}

TEST_F(DumpCalls, AnswersARepeatedImportWithItsJob) {
  std::vector<v1::ImportSnapshotRequest> parts = Dump();
  parts[0].set_request_id("once");
  ASSERT_EQ(Import(parts).reason, "OK");
  const std::string first = EndOfJob().id();
  ASSERT_EQ(Import(parts).reason, "OK");
  EXPECT_EQ(job_.id(), first);
  parts[1].mutable_rows()->mutable_rows(0)->mutable_values(0)->set_value("another");
  EXPECT_NE(Import(parts).reason, "OK");
  EXPECT_TRUE(NothingIsLeft());
}

TEST_F(DumpCalls, RefusesWhatIsNoDumpAndLeavesNothing) {
  using Parts = std::vector<v1::ImportSnapshotRequest>;
  const std::vector<std::pair<std::string, std::function<void(Parts*)>>> cases = {
      {"SHORTFALL", [](Parts* p) { p->pop_back(); }},
      {"SHORTFALL", [](Parts* p) { (*p)[2].mutable_end()->set_rows(1, 3); }},
      {"SHORTFALL", [](Parts* p) { (*p)[1].mutable_rows()->mutable_rows()->RemoveLast(); }},
      {"SHORTFALL", [](Parts* p) { p->clear(); }},
      {"INVALID_ARGUMENT", [](Parts* p) { (*p)[2].mutable_end()->mutable_rows()->RemoveLast(); }},
      {"INVALID_ARGUMENT", [](Parts* p) { p->push_back((*p)[2]); }},
      {"INVALID_ARGUMENT", [](Parts* p) { p->insert(p->begin(), (*p)[1]); }},
      {"INVALID_ARGUMENT", [](Parts* p) { p->insert(p->begin(), (*p)[0]); }},
      {"INVALID_ARGUMENT", [](Parts* p) { (*p)[1].mutable_rows()->set_table(2); }},
      {"INVALID_ARGUMENT", [](Parts* p) { (*p)[1].mutable_rows()->set_table(-1); }},
      {"INVALID_ARGUMENT", [](Parts* p) { (*p)[1].mutable_rows()->mutable_rows(0)->clear_key(); }},
      {"INVALID_ARGUMENT",
       [](Parts* p) { (*p)[1].mutable_rows()->mutable_rows(1)->set_more(true); }},
      {"INVALID_ARGUMENT", [](Parts* p) { (*p)[0].mutable_header()->clear_instant(); }},
      {"INVALID_ARGUMENT", [](Parts* p) { (*p)[0].mutable_header()->clear_tables(); }},
      {"INVALID_ARGUMENT", [](Parts* p) { (*p)[0].set_lineage("No"); }},
      {"INVALID_ARGUMENT", [](Parts* p) { (*p)[0].mutable_header()->set_tenant("b"); }},
      {"INVALID_ARGUMENT",
       [](Parts* p) {
         (*p)[0].mutable_header()->mutable_tables(1)->add_columns()->set_name("id");
       }},
      {"TENANT_ID_INVALID",
       [](Parts* p) { (*p)[1].mutable_rows()->set_tenant(std::string(2000, 'x')); }},
      {"TABLE_NOT_FOUND",
       [](Parts* p) { (*p)[0].mutable_header()->mutable_tables(0)->set_table("nope"); }},
      {"STORE_NOT_FOUND", [](Parts* p) { (*p)[0].set_store("nope"); }},
      {"STORE_IDENTITY_CHANGED",
       [](Parts* p) { (*p)[0].mutable_header()->set_store_identity("nope"); }},
      {"CLOCK_JUMPED",
       [](Parts* p) { (*p)[0].mutable_header()->mutable_instant()->set_seconds(4'000'000'000); }},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    Parts parts = Dump();
    cases[i].second(&parts);
    EXPECT_EQ(Import(parts).reason, cases[i].first) << "case " << i;
    EXPECT_TRUE(NothingIsLeft()) << "case " << i;
  }
  v1::ListSnapshotsResponse snapshots;
  ASSERT_EQ(ReasonOf(site_.snapshots().ListSnapshots(NewContext().get(), {}, &snapshots)), "OK");
  EXPECT_EQ(snapshots.snapshots_size(), 1);
  EXPECT_EQ(Import(Dump()).reason, "OK") << "the dump itself is good";
}

TEST_F(DumpCalls, FailsAJobWhoseDumpHasARowTwice) {
  std::vector<v1::ImportSnapshotRequest> parts = Dump();
  parts[1].mutable_rows()->mutable_rows(1)->set_key(0, "1");
  ASSERT_EQ(Import(parts).reason, "OK");
  const v1::Job job = EndOfJob();
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_THAT(job.failure().message(), HasSubstr("twice"));
  EXPECT_TRUE(NothingIsLeft());
}

}  // namespace
}  // namespace reinstate

// What Prometheus sees of the daemon.

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <fstream>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/integration/daemon_fixture.h"
#include "tests/support/http_get.h"
#include "tests/support/prometheus_text.h"
#include "tests/support/script.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class DaemonMetricsTest : public DaemonTest {
 protected:
  void StartWithMetrics(const std::string& listen = "127.0.0.1:0", const std::string& more = "") {
    std::ofstream(Path("reinstated.toml")) << "[metrics]\nlisten = \"" << listen << "\"\n" << more;
    Start({"--config", Path("reinstated.toml")});
  }

  // By what the log says.
  std::string Address() {
    const std::string output = daemon_->Output();
    const std::string key = "metrics address=";
    const size_t at = output.find(key);
    EXPECT_NE(at, std::string::npos) << output;
    return output.substr(at + key.size(), output.find('\n', at) - at - key.size());
  }

  std::string Page() {
    const auto answer = HttpGet(Address(), "/metrics");
    EXPECT_THAT(answer, IsOk());
    return answer.ok() ? answer->body : "";
  }

  PrometheusText Scrape() {
    const auto text = PrometheusText::Parse(Page());
    EXPECT_THAT(text, IsOk());
    return text.value_or(PrometheusText());
  }

  // Once no restore runs: one that has ended is counted out a moment later.
  PrometheusText ScrapeAtRest() {
    const PrometheusText::Labels running = {{"store", "main"}, {"state", "running"}};
    const absl::Time until = absl::Now() + absl::Seconds(20);
    PrometheusText text = Scrape();
    while (text.Find("reinstate_restores", running) != 0 && absl::Now() < until) {
      text = Scrape();
    }
    return text;
  }
};

TEST_F(DaemonMetricsTest, AreNotServedUnlessAsked) {
  Start();
  EXPECT_THAT(daemon_->Output(), Not(HasSubstr("metrics")));
}

TEST_F(DaemonMetricsTest, AnAddressThatOthersReachIsRefusedUnlessItIsMeant) {
  std::ofstream(Path("reinstated.toml")) << "[metrics]\nlisten = \"0.0.0.0:0\"\n";
  EXPECT_THAT(Refusal("data", {"--config", Path("reinstated.toml")}),
              AllOf(HasSubstr("code 2"), HasSubstr("[metrics]")));
  std::ofstream(Path("reinstated.toml")) << "[metrics]\nlisten = \"0.0.0.0:0\"\ninsecure = true\n";
  Start({"--config", Path("reinstated.toml")});
}

TEST_F(DaemonMetricsTest, AnAddressThatIsTakenIsRefused) {
  StartWithMetrics();
  std::ofstream(Path("other.toml")) << "[metrics]\nlisten = \"" << Address() << "\"\n";
  EXPECT_THAT(Refusal("other", {"--config", Path("other.toml")}),
              AllOf(HasSubstr("code 1"), HasSubstr(Address())));
}

TEST_F(DaemonMetricsTest, TellWhatBecameOfSnapshotsAndRestores) {
  StartWithMetrics();
  const PrometheusText::Labels main = {{"store", "main"}};
  PrometheusText text = Scrape();
  EXPECT_EQ(text.Find("reinstate_snapshots", main), 0);
  EXPECT_EQ(text.Find("reinstate_last_good_snapshot_age_seconds", main), std::nullopt);

  Put("acme-corp", "1", "one");
  Put("acme-corp", "2", "two");
  MustTakeSnapshot();
  DeleteTenant("acme-corp");
  EXPECT_EQ(Restore("acme-corp").state(), v1::RESTORE_STATE_SUCCEEDED);

  text = ScrapeAtRest();
  EXPECT_EQ(text.Find("reinstate_restores_ended_total",
                      {{"store", "main"}, {"kind", "restore"}, {"state", "succeeded"}}),
            1);
  EXPECT_EQ(text.Find("reinstate_restore_duration_seconds_count",
                      {{"store", "main"}, {"kind", "restore"}}),
            1);
  EXPECT_EQ(text.Find("reinstate_restored_rows_total", main), 2);
  EXPECT_GE(text.Find("reinstate_restored_bytes_total", main), 6);
  for (const char* state : {"queued", "running", "in_doubt"}) {
    EXPECT_EQ(text.Find("reinstate_restores", {{"store", "main"}, {"state", state}}), 0) << state;
  }
  EXPECT_EQ(text.Find("reinstate_snapshots", main), 1);
  EXPECT_EQ(text.Find("reinstate_collapsed_snapshots", main), 0);
  EXPECT_EQ(text.Find("reinstate_store_ready", main), 1);
  const std::optional<double> age = text.Find("reinstate_last_good_snapshot_age_seconds", main);
  ASSERT_TRUE(age.has_value());
  EXPECT_EQ(text.Find("reinstate_unresolved_tables", main), 0);
  EXPECT_GE(*age, 0);
  EXPECT_LT(*age, 600);
  EXPECT_EQ(text.Find("reinstate_history_jobs_ended_total",
                      {{"store", "main"}, {"kind", "take_snapshot"}, {"state", "succeeded"}}),
            1);
  EXPECT_EQ(text.families().at("reinstate_build_info").samples.size(), 1U);
}

TEST_F(DaemonMetricsTest, AreThoseThatTheAlertsAskFor) {
  StartWithMetrics();
  Put("acme", "1", "one");
  MustTakeSnapshot();
  Restore("acme");
  const PrometheusText text = Scrape();
  std::ifstream file(REINSTATE_ALERTS);
  int asked = 0;
  for (std::string line; std::getline(file, line);) {
    const std::regex name("reinstate_[a-z_]+");
    for (std::sregex_iterator match(line.begin(), line.end(), name), end; match != end; ++match) {
      ++asked;
      EXPECT_TRUE(text.families().contains(match->str())) << match->str();
    }
  }
  EXPECT_GE(asked, 6);
}

TEST_F(DaemonMetricsTest, TellHowLongRestoresWaitedForTheThrottle) {
  StartWithMetrics();
  for (const char* tenant : {"acme-corp", "globex"}) {
    for (const char* key : {"1", "2", "3", "4", "5", "6"}) {
      Put(tenant, key, "text");
    }
  }
  MustTakeSnapshot();
  DeleteTenant("acme-corp");
  DeleteTenant("globex");
  v1::ThrottleStoreRequest throttle;
  throttle.set_store("main");
  throttle.mutable_throttle()->set_rows_per_second(1);
  ASSERT_THAT(client_->ThrottleStore(throttle), IsOk());
  const PrometheusText::Labels by_rows = {{"store", "main"}, {"reason", "rows_per_second"}};
  EXPECT_EQ(Scrape().Find("reinstate_throttle_seconds_total", by_rows), 0);
  EXPECT_EQ(Restore("acme-corp").state(), v1::RESTORE_STATE_SUCCEEDED);
  EXPECT_EQ(Restore("globex").state(), v1::RESTORE_STATE_SUCCEEDED);  // six seconds later
  EXPECT_GT(Scrape().Find("reinstate_throttle_seconds_total", by_rows).value_or(0), 0);
  EXPECT_EQ(Scrape().Find("reinstate_throttle_seconds_total",
                          {{"store", "main"}, {"reason", "bytes_per_second"}}),
            0);
}

TEST_F(DaemonMetricsTest, CountCallsByMethodAndCode) {
  StartWithMetrics();
  v1::GetStoreRequest request;
  request.set_store("nobody");
  EXPECT_FALSE(client_->GetStore(request).ok());
  ShowStore();
  ShowStore();
  Put("acme", "1", "one");
  MustTakeSnapshot();  // which watches a job, a stream

  const PrometheusText text = Scrape();
  const std::string get = "reinstate.v1.StoreService/GetStore";
  const auto handled = [&](const std::string& method, const std::string& code) {
    return text.Find("reinstate_rpc_handled_total", {{"method", method}, {"code", code}});
  };
  EXPECT_EQ(handled(get, "OK"), 2);
  EXPECT_EQ(handled(get, "NOT_FOUND"), 1);
  EXPECT_EQ(text.Find("reinstate_rpc_duration_seconds_count", {{"method", get}}), 3);
  EXPECT_GE(handled("reinstate.v1.JobService/WatchJob", "OK"), 1);
  EXPECT_EQ(text.Sum("reinstate_rpc_duration_seconds_count",
                     {{"method", "reinstate.v1.JobService/WatchJob"}}),
            0);
}

// Whoever reaches the daemon could otherwise make as many series as it likes.
TEST_F(DaemonMetricsTest, MethodsThatAreNotServedMakeNoSeries) {
  StartWithMetrics();
  grpc::GenericStub stub(
      grpc::CreateChannel(daemon_->address(), grpc::InsecureChannelCredentials()));
  grpc::CompletionQueue queue;
  for (const char* method : {"/made.up/One", "/reinstate.v1.StoreService/MadeUp"}) {
    grpc::ClientContext context;
    const auto call = stub.PrepareUnaryCall(&context, method, grpc::ByteBuffer(), &queue);
    call->StartCall();
    grpc::ByteBuffer answer;
    grpc::Status status;
    call->Finish(&answer, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  }
  const PrometheusText text = Scrape();
  const std::string name = "reinstate_rpc_handled_total";
  EXPECT_EQ(text.Find(name, {{"method", "other"}, {"code", "UNIMPLEMENTED"}}), 2);
  EXPECT_EQ(text.Sum(name, {}), 2);
}

// All that a restore can go through, over tenants with labels: it fails, is held back, is one of a
// batch, has hooks, is undone.
class MetricsOfABadDayTest : public DaemonMetricsTest {
 protected:
  // What runs as a hook gets the event on its standard input.
  std::string HookText(const std::string& name, const std::string& when, const std::string& script,
                       const std::string& more = "") const {
    return absl::StrCat("[[hook]]\nname = \"", name, "\"\nwhen = \"", when, "\"\ncommand = [\"",
                        WriteScript(Path(name), script), "\"]\nretries = 0\n", more);
  }

  void PutTenant(const std::string& tenant, const std::string& label) {
    v1::PutRequest request;
    request.mutable_record()->set_tenant(tenant);
    request.mutable_record()->set_table("tenant");
    request.mutable_record()->set_key("name");
    request.mutable_record()->set_payload(label);
    ASSERT_THAT(client_->PutRecord(request), IsOk());
    Put(tenant, "1", "text");
    Put(tenant, "2", "text");
    names_.push_back(tenant);
    names_.push_back(label);
  }

  void Throttle(int64_t rows_per_second) {
    v1::ThrottleStoreRequest request;
    request.set_store("main");
    request.mutable_throttle()->set_rows_per_second(rows_per_second);
    ASSERT_THAT(client_->ThrottleStore(request), IsOk());
  }

  std::vector<v1::BatchLine> RestoreInABatch(const std::vector<std::string>& tenants) {
    v1::CreateBatchRequest request;
    request.mutable_spec()->set_store("main");
    request.mutable_spec()->set_at("latest");
    for (const std::string& tenant : tenants) {
      request.add_lines()->set_tenant(tenant);
    }
    const auto created = client_->CreateBatch(request);
    EXPECT_THAT(created, IsOk());
    const auto batch = client_->WaitForBatch(created->id(), {});
    EXPECT_THAT(batch, IsOk());
    EXPECT_EQ(batch->state(), v1::BATCH_STATE_SUCCEEDED);
    names_.push_back(batch->id());
    v1::ListBatchLinesRequest list;
    list.set_batch(batch->id());
    const auto lines = client_->ListBatchLines(list);
    EXPECT_THAT(lines, IsOk());
    for (const v1::BatchLine& line : *lines) {
      EXPECT_EQ(line.restores_size(), 1);
      names_.push_back(line.restores(0).restore());
    }
    return *lines;
  }

  void Undo(const std::string& restore) {
    v1::UndoRestoreRequest request;
    request.set_restore(restore);
    const auto created = client_->UndoRestore(request);
    ASSERT_THAT(created, IsOk());
    const auto undo = client_->WaitForRestore(created->id(), {});
    ASSERT_THAT(undo, IsOk());
    EXPECT_EQ(undo->state(), v1::RESTORE_STATE_SUCCEEDED);
    names_.push_back(undo->id());
  }

  std::vector<std::string> names_;  // of tenants, batches and restores
};

TEST_F(MetricsOfABadDayTest, NameNoTenantAndNoJob) {
  StartWithMetrics("127.0.0.1:0",
                   HookText("check", "before", "! grep -q globex-ltd", "required = true\n") +
                       HookText("index", "after", "cat > /dev/null"));
  PutTenant("acme-corp", "Acme Corporation");
  PutTenant("globex-ltd", "Globex Limited");
  PutTenant("initech-inc", "Initech Incorporated");
  names_.push_back(MustTakeSnapshot());
  for (const char* tenant : {"acme-corp", "globex-ltd", "initech-inc"}) {
    DeleteTenant(tenant);
  }
  const v1::Restore failed = Restore("globex-ltd");
  EXPECT_EQ(failed.state(), v1::RESTORE_STATE_FAILED);
  names_.push_back(failed.id());
  Throttle(1);
  const std::vector<v1::BatchLine> lines = RestoreInABatch({"acme-corp", "initech-inc"});
  EXPECT_EQ(lines[0].tenant().label(), "Acme Corporation");
  Throttle(0);
  Undo(lines[0].restores(0).restore());

  const std::string page = Page();
  const auto text = PrometheusText::Parse(page);
  ASSERT_THAT(text, IsOk());
  const auto ended = [&](const char* kind, const char* state) {
    return text->Find("reinstate_restores_ended_total",
                      {{"store", "main"}, {"kind", kind}, {"state", state}});
  };
  EXPECT_EQ(ended("restore", "failed"), 1);
  EXPECT_EQ(ended("restore", "succeeded"), 2);
  EXPECT_EQ(ended("undo", "succeeded"), 1);
  EXPECT_GT(text->Find("reinstate_throttle_seconds_total",
                       {{"store", "main"}, {"reason", "rows_per_second"}})
                .value_or(0),
            0);
  EXPECT_EQ(text->Find("reinstate_hook_runs_total", {{"hook", "check"}, {"outcome", "failed"}}), 1);
  EXPECT_GE(text->Sum("reinstate_hook_runs_total", {{"hook", "index"}}), 3);

  for (const std::string& name : names_) {
    ASSERT_FALSE(name.empty());
    EXPECT_THAT(page, Not(HasSubstr(name)));
  }
  const std::set<std::string> known = {"code",     "hook",   "kind",  "le",    "method", "outcome",
                                       "quantile", "reason", "state", "store", "version"};
  for (const auto& [name, family] : text->families()) {
    for (const PrometheusText::Sample& sample : family.samples) {
      for (const auto& [label, value] : sample.labels) {
        EXPECT_TRUE(known.contains(label)) << name << " has the label " << label;
      }
    }
  }
}

}  // namespace
}  // namespace reinstate

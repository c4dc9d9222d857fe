#include "tests/unit/client/cli/batch_site.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <utility>

#include "client/cli/program.h"

namespace reinstate {
namespace {

using Kind = v1::TenantResolutionKind;

const std::map<std::string, std::string>& Labels() {
  static const auto* labels = new std::map<std::string, std::string>{
      {"1001", "Acme Corp"}, {"1002", "Zeta"}, {"1009", "Late Inc"}};
  return *labels;
}

v1::TenantRef RefOf(const std::string& id) {
  v1::TenantRef ref;
  ref.set_store("main");
  ref.set_tenant(id);
  const auto label = Labels().find(id);
  ref.set_label(label == Labels().end() ? "Twin" : label->second);
  return ref;
}

void AddCandidate(const std::string& id, double score, v1::TenantResolution* resolution) {
  v1::TenantCandidate* candidate = resolution->add_candidates();
  *candidate->mutable_ref() = RefOf(id);
  candidate->set_score(score);
}

void Find(const std::string& id, Kind kind, v1::TenantResolution* resolution) {
  resolution->set_match(kind);
  *resolution->mutable_ref() = RefOf(id);
  resolution->mutable_live();
  if (id != "1009") {
    resolution->mutable_at_point()->set_rows(1'200);
    resolution->set_loss(id == "1002" ? v1::TENANT_LOSS_UNSPECIFIED : v1::TENANT_LOSS_GONE);
  }
}

v1::TenantResolution Resolve(const v1::TenantInput& input) {
  v1::TenantResolution resolution;
  resolution.set_line(input.line());
  resolution.set_input(input.text());
  resolution.set_match(v1::TENANT_RESOLUTION_KIND_NONE);
  for (const auto& [id, label] : Labels()) {
    if (input.text() == id || input.text() == label) {
      Find(id, v1::TENANT_RESOLUTION_KIND_EXACT, &resolution);
    }
  }
  if (input.text() == "acme corp") {
    Find("1001", v1::TENANT_RESOLUTION_KIND_NORMALISED, &resolution);
  } else if (input.text() == "Akme") {
    resolution.set_match(v1::TENANT_RESOLUTION_KIND_SIMILAR);
    AddCandidate("1001", 0.75, &resolution);
  } else if (input.text() == "Twin") {
    resolution.set_match(v1::TENANT_RESOLUTION_KIND_AMBIGUOUS);
    AddCandidate("1003", 1, &resolution);
    AddCandidate("1004", 1, &resolution);
  }
  return resolution;
}

// What the daemon finds wrong, besides what the client knows.
v1::BatchLine Checked(const v1::BatchLineSpec& spec) {
  v1::BatchLine line;
  line.set_line(spec.line());
  line.set_input(spec.input());
  line.mutable_tenant()->set_tenant(spec.tenant());
  if (spec.has_problem()) {
    *line.mutable_problem() = spec.problem();
  } else if (spec.tenant() == "1009" || spec.tenant() == "Akme") {
    line.mutable_problem()->set_reason("TENANT_NOT_AT_POINT");
    line.mutable_problem()->set_message("It was not there at snap-1-12.");
  }
  return line;
}

void FillPlan(v1::Batch* plan) {
  plan->set_id("bat-plan");
  plan->set_dry_run(true);
  plan->set_state(v1::BATCH_STATE_PLANNED);
  plan->mutable_spec()->set_store("main");
  plan->mutable_spec()->set_at("2h");
  plan->mutable_spec()->set_mode(v1::RESTORE_MODE_MIRROR);
  plan->mutable_lines()->set_total(2);
  plan->mutable_lines()->set_succeeded(2);
  plan->mutable_totals()->set_inserted(1'200);
  plan->mutable_totals()->set_replaced(34);
  plan->mutable_totals()->set_deleted(5);
  plan->add_store_addresses("db7.example.com, database shop");
  v1::BatchStorePoint* point = plan->add_points();
  point->set_store("main");
  point->mutable_point()->set_snapshot("snap-1-12");
  point->mutable_point()->mutable_instant()->set_seconds(1'775'374'680);  // 2026-04-05T07:38:00Z
  plan->set_digest(std::string(64, 'd'));
  v1::BatchLine* largest = plan->add_largest();
  *largest = LineIn(1, "1001", v1::BATCH_LINE_STATE_SUCCEEDED);
  largest->mutable_restores(0)->mutable_totals()->set_replaced(34);
  largest->mutable_restores(0)->mutable_totals()->set_deleted(5);
}

}  // namespace

v1::BatchLine LineIn(int64_t number, const std::string& tenant, v1::BatchLineState state) {
  v1::BatchLine line;
  line.set_line(number);
  line.set_input(tenant);
  *line.mutable_tenant() = RefOf(tenant);
  line.set_state(state);
  v1::BatchLineRestore* restore = line.add_restores();
  restore->set_store("main");
  restore->set_tenant(tenant);
  restore->set_restore("rst-" + tenant);
  if (state == v1::BATCH_LINE_STATE_SUCCEEDED) {
    restore->set_state(v1::RESTORE_STATE_SUCCEEDED);
    restore->set_has_certificate(true);
  } else if (state == v1::BATCH_LINE_STATE_RUNNING) {
    restore->set_state(v1::RESTORE_STATE_RUNNING);
    restore->set_phase(v1::RESTORE_PHASE_APPLYING);
  }
  return line;
}

v1::BatchLine FailedLine(int64_t number, const std::string& tenant, Reason reason,
                         const std::string& message) {
  v1::BatchLine line = LineIn(number, tenant, v1::BATCH_LINE_STATE_FAILED);
  line.mutable_restores(0)->set_state(v1::RESTORE_STATE_FAILED);
  line.mutable_problem()->set_reason(std::string(ReasonName(reason)));
  line.mutable_problem()->set_message(message);
  return line;
}

BatchSite::BatchSite() {
  FillPlan(&plan_);
  batch_ = plan_;
  batch_.set_id("bat-1");
  batch_.set_dry_run(false);
  batch_.set_state(v1::BATCH_STATE_RUNNING);
  batch_.mutable_lines()->set_succeeded(0);
  batch_.mutable_lines()->set_queued(2);
  ended_ = batch_;
  ended_.set_state(v1::BATCH_STATE_SUCCEEDED);
  ended_.mutable_lines()->set_queued(0);
  ended_.mutable_lines()->set_succeeded(2);
  lines_ = {LineIn(1, "1001", v1::BATCH_LINE_STATE_SUCCEEDED),
            LineIn(2, "1002", v1::BATCH_LINE_STATE_SUCCEEDED)};
  AnswerTenants();
  AnswerCreate();
  AnswerReading();
}

void BatchSite::AnswerTenants() {
  answers_.list_stores = [](const auto& /*request*/, v1::ListStoresResponse* response) {
    response->add_stores()->set_name("main");
    return grpc::Status::OK;
  };
  answers_.resolve_tenants = [this](const v1::ResolveTenantsRequest& request, auto* /*context*/,
                                    const auto& send) {
    resolved_.push_back(request);
    v1::ResolveTenantsResponse response;
    response.mutable_point()->set_snapshot("snap-1-12");
    for (const v1::TenantInput& input : request.inputs()) {
      *response.add_resolutions() = Resolve(input);
      if (response.resolutions_size() == 1'000) {
        send(response);
        response.Clear();
      }
    }
    if (request.with_lost()) {
      // All who are gone and whom no input of this call means.
      for (const char* id : {"1001", "1003"}) {
        const bool named = std::any_of(
            request.inputs().begin(), request.inputs().end(),
            [&](const v1::TenantInput& input) { return Resolve(input).ref().tenant() == id; });
        if (!named) {
          v1::TenantResolution* lost = response.add_resolutions();
          Find(id, v1::TENANT_RESOLUTION_KIND_UNSPECIFIED, lost);
        }
      }
    }
    send(response);
    return grpc::Status::OK;
  };
}

void BatchSite::AnswerCreate() {
  answers_.create_batch = [this](const v1::CreateBatchRequest& request, v1::Batch* batch) {
    if (request.validate_only()) {
      checked_.push_back(request);
      *batch = batch_;
      batch->clear_id();
      *batch->mutable_spec() = request.spec();
      batch->mutable_lines()->Clear();
      batch->mutable_lines()->set_total(request.lines_size());
      for (const v1::BatchLineSpec& spec : request.lines()) {
        if (const v1::BatchLine line = Checked(spec); line.has_problem()) {
          *batch->add_invalid() = line;
        }
      }
      batch->mutable_lines()->set_not_restored(batch->invalid_size());
    } else if (request.dry_run()) {
      planned_.push_back(request);
      *batch = plan_;
      batch->set_state(v1::BATCH_STATE_PLANNING);
    } else {
      created_.push_back(request);
      *batch = batch_;
    }
    return grpc::Status::OK;
  };
}

void BatchSite::AnswerReading() {
  answers_.get_batch = [this](const v1::GetBatchRequest& request, v1::Batch* batch) {
    *batch = request.batch() == plan_.id() ? plan_ : batch_;
    return grpc::Status::OK;
  };
  answers_.watch_batch = [this](const v1::WatchBatchRequest& request, auto* /*context*/,
                                const auto& send) {
    if (request.batch() == plan_.id()) {
      send(plan_);
    } else {
      send(batch_);
      send(ended_);
    }
    return grpc::Status::OK;
  };
  answers_.list_batch_lines = [this](const v1::ListBatchLinesRequest& request,
                                     v1::ListBatchLinesResponse* response) {
    listed_.push_back(request);
    for (const v1::BatchLine& line : lines_) {
      const bool state =
          request.states().empty() || std::count(request.states().begin(), request.states().end(),
                                                 static_cast<int>(line.state())) > 0;
      const bool tenant = request.tenant().empty() || line.input() == request.tenant() ||
                          line.tenant().tenant() == request.tenant() ||
                          line.tenant().label() == request.tenant();
      if (state && tenant) {
        *response->add_lines() = line;
      }
    }
    return grpc::Status::OK;
  };
  answers_.control_batch = [this](const std::string& method, const auto& /*request*/,
                                  v1::Batch* batch) {
    controlled_.push_back(method);
    *batch = batch_;
    return grpc::Status::OK;
  };
}

int BatchSite::Run(std::vector<std::string> words, const char* typed) {
  std::istringstream in(typed == nullptr ? "" : typed);
  return RunOn(std::move(words), &in, typed != nullptr);
}

int BatchSite::RunWithInput(std::vector<std::string> words, const std::string& bytes) {
  std::istringstream in(bytes);
  return RunOn(std::move(words), &in, /*terminal=*/false);
}

int BatchSite::RunOn(std::vector<std::string> words, std::istream* in, bool terminal) {
  const FakeDaemon daemon(dir_.path() + "/d.sock", answers_);
  out_.str("");
  err_.str("");
  Console console;
  console.in = in;
  console.out = &out_;
  console.err = &err_;
  console.in_is_terminal = terminal;
  words.insert(words.end(), {"--address", daemon.address(), "--timeout", "20s"});
  return static_cast<int>(RunProgram(words, console));
}

std::string BatchSite::File(const std::string& name, const std::string& text) const {
  std::string path = dir_.path() + "/" + name;
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

std::string BatchSite::TextOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace reinstate

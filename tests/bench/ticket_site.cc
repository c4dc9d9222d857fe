#include "tests/bench/ticket_site.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/api/record_writer.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"
#include "storage/model/key_parts.h"

namespace reinstate::bench {
namespace {

constexpr char kStore[] = "main";

v1::Record ToWire(const TenantId& tenant, std::string_view table, const Record& record) {
  v1::Record wire;
  wire.set_tenant(tenant.value());
  wire.set_table(std::string(table));
  wire.set_key(record.key.bytes());
  wire.set_payload(record.payload);
  return wire;
}

void VisitTenant(const TicketTracker& tracker, size_t tenant, const KeyedVisitor& visit) {
  std::string key;
  tracker.ForEach(tenant, [&](std::string_view table, const Record& record) {
    key.clear();
    AppendKeyPart(tracker.tenants()[tenant].id.value(), &key);
    AppendKeyPart(table, &key);
    AppendKeyPart(record.key.bytes(), &key);
    visit(key, record.payload);
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<TicketSite>> TicketSite::Load(const TicketTracker* tracker,
                                                             const std::string& data_path) {
  ASSIGN_OR_RETURN(std::unique_ptr<BenchDaemon> daemon,
                   BenchDaemon::Start({.data_path = data_path, .arguments = {}, .store = kStore}));
  std::unique_ptr<TicketSite> site(new TicketSite(tracker, std::move(daemon)));
  RETURN_IF_ERROR(site->PutAll());
  return site;
}

absl::Status TicketSite::PutAll() {
  const std::unique_ptr<RecordWriter> writer = daemon_->client()->WriteRecords(kStore);
  for (size_t tenant = 0; tenant < tracker_->tenants().size(); ++tenant) {
    const TenantId& id = tracker_->tenants()[tenant].id;
    tracker_->ForEach(tenant, [&](std::string_view table, const Record& record) {
      writer->Put(ToWire(id, table, record));
    });
  }
  return writer->Finish().status();
}

absl::Status TicketSite::ChangeRecords(int64_t one_in, uint64_t edition) {
  const std::unique_ptr<RecordWriter> writer = daemon_->client()->WriteRecords(kStore);
  for (size_t tenant = 0; tenant < tracker_->tenants().size(); ++tenant) {
    const TenantId& id = tracker_->tenants()[tenant].id;
    tracker_->ForEachChanged(tenant, one_in, edition,
                             [&](std::string_view table, const Record& record) {
                               writer->Put(ToWire(id, table, record));
                             });
  }
  return writer->Finish().status();
}

absl::StatusOr<BenchDaemon::SnapshotRun> TicketSite::TakeSnapshot() {
  ASSIGN_OR_RETURN(const BenchDaemon::SnapshotRun run, daemon_->TakeSnapshot());
  if (run.rows != tracker_->records()) {
    return MakeError(Reason::kShortfall, absl::StrCat("The snapshot has ", run.rows, " of ",
                                                      tracker_->records(), " rows."));
  }
  return run;
}

absl::Status TicketSite::DeleteTenant(size_t tenant) {
  v1::DeleteTenantRequest request;
  request.set_store(kStore);
  request.set_tenant(tracker_->tenants()[tenant].id.value());
  return daemon_->client()->DeleteTenant(request).status();
}

absl::StatusOr<BenchDaemon::RestoreRun> TicketSite::DeleteAndRestore(
    std::span<const size_t> tenants) {
  int64_t expected = 0;
  std::vector<std::string> ids;
  for (const size_t tenant : tenants) {
    RETURN_IF_ERROR(DeleteTenant(tenant));
    expected += tracker_->tenants()[tenant].records;
    ids.push_back(tracker_->tenants()[tenant].id.value());
  }
  daemon_->AwaitQuiet();
  ASSIGN_OR_RETURN(const BenchDaemon::RestoreRun run, daemon_->Restore(ids));
  if (run.inserted != expected) {
    return MakeError(Reason::kShortfall, absl::StrCat("The restores inserted ", run.inserted,
                                                      " of ", expected, " rows."));
  }
  return run;
}

absl::StatusOr<absl::Duration> TicketSite::DeleteAndRestoreByCommandLine(size_t tenant,
                                                                         const std::string& cli) {
  RETURN_IF_ERROR(DeleteTenant(tenant));
  return daemon_->RestoreByCommandLine(tracker_->tenants()[tenant].id.value(), cli);
}

KeyedRecords AllRecords(const TicketTracker& tracker) {
  return [&tracker](const KeyedVisitor& visit) {
    for (size_t tenant = 0; tenant < tracker.tenants().size(); ++tenant) {
      VisitTenant(tracker, tenant, visit);
    }
  };
}

KeyedRecords RecordsOf(const TicketTracker& tracker, std::span<const size_t> tenants) {
  return [&tracker, tenants](const KeyedVisitor& visit) {
    for (const size_t tenant : tenants) {
      VisitTenant(tracker, tenant, visit);
    }
  };
}

}  // namespace reinstate::bench

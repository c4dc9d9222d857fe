#include "server/rpc/convert_snapshot.h"

#include "server/rpc/convert_common.h"

namespace reinstate {
namespace {

v1::JobState JobStateToWire(state::JobState state) {
  switch (state) {
    case state::QUEUED:
      return v1::JOB_STATE_QUEUED;
    case state::RUNNING:
      return v1::JOB_STATE_RUNNING;
    case state::SUCCEEDED:
      return v1::JOB_STATE_SUCCEEDED;
    case state::FAILED:
      return v1::JOB_STATE_FAILED;
    case state::CANCELLED:
      return v1::JOB_STATE_CANCELLED;
    default:
      return v1::JOB_STATE_UNSPECIFIED;
  }
}

static_assert(static_cast<int>(v1::JOB_KIND_TAKE) == static_cast<int>(state::TAKE_SNAPSHOT));
static_assert(static_cast<int>(v1::JOB_KIND_VERIFY) == static_cast<int>(state::VERIFY_SNAPSHOT));
static_assert(static_cast<int>(v1::JOB_KIND_RETAIN) == static_cast<int>(state::APPLY_RETENTION));
static_assert(static_cast<int>(v1::JOB_KIND_IMPORT) == static_cast<int>(state::IMPORT_SNAPSHOT));

}  // namespace

v1::Snapshot ToWire(const SnapshotInfo& snapshot, const std::string& store, absl::Duration grace) {
  v1::Snapshot wire;
  wire.set_id(snapshot.id.ToString());
  wire.set_store(store);
  wire.set_lineage(snapshot.id.lineage);
  wire.set_version(snapshot.id.version);
  ToWire(snapshot.instant, wire.mutable_instant());
  wire.set_position(snapshot.position);
  wire.set_tenants(snapshot.tenants);
  ToWire(snapshot.sum, wire.mutable_counts());
  wire.set_ownerless_rows(snapshot.ownerless_rows);
  wire.set_added_bytes(snapshot.added_bytes);
  if (snapshot.id.version > 1) {
    v1::Collapse* collapse = wire.mutable_collapse();
    collapse->set_vanished_tenants(snapshot.collapse.vanished_tenants);
    collapse->set_shrunken_tenants(snapshot.collapse.shrunken_tenants);
    collapse->set_marked(snapshot.collapse.marked);
    collapse->set_lifted(snapshot.collapse.lifted);
  }
  wire.set_held(snapshot.held);
  wire.set_hold_reason(snapshot.hold_reason);
  for (const std::string& job : snapshot.pinned_by) {
    wire.add_pinned_by(job);
  }
  wire.set_state(snapshot.visible() ? v1::SNAPSHOT_STATE_VISIBLE : v1::SNAPSHOT_STATE_HIDDEN);
  if (snapshot.hidden_since.has_value()) {
    ToWire(*snapshot.hidden_since, wire.mutable_hide_time());
    ToWire(*snapshot.hidden_since + grace, wire.mutable_grace_end_time());
  }
  wire.set_store_identity(snapshot.store_identity);
  wire.set_tenant_map_digest(ToHex(snapshot.map_digest));
  wire.set_root_digest(ToHex(snapshot.root_digest));
  wire.set_job(snapshot.job);
  return wire;
}

void TablesToWire(const SnapshotInfo& snapshot, v1::Snapshot* wire) {
  for (const CoveredTable& table : snapshot.tables) {
    v1::SnapshotTable* covered = wire->add_tables();
    covered->set_table(table.schema.name);
    covered->set_identity(table.schema.identity);
    covered->set_owned(table.owned);
  }
}

v1::Job ToWire(const state::HistoryJob& job) {
  v1::Job wire;
  wire.set_id(job.id());
  wire.set_kind(static_cast<v1::JobKind>(job.kind()));
  wire.set_state(JobStateToWire(job.state()));
  wire.set_store(job.store());
  if (job.has_progress()) {
    ToWire(job.progress(), wire.mutable_progress());
  }
  wire.set_snapshot(job.snapshot());
  *wire.mutable_notes() = job.notes();
  if (job.has_failure()) {
    ToWire(job.failure(), wire.mutable_failure());
  }
  ToWire(job.actor(), wire.mutable_actor());
  wire.set_scheduled(job.scheduled());
  wire.set_cancel_requested(job.cancel_requested());
  SetTime(job.created_us(), &v1::Job::mutable_create_time, &wire);
  SetTime(job.started_us(), &v1::Job::mutable_start_time, &wire);
  SetTime(job.finished_us(), &v1::Job::mutable_end_time, &wire);
  return wire;
}

}  // namespace reinstate

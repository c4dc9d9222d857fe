#include "server/restore/plan_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/restore/sum_proto.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/digest.h"

namespace reinstate {
namespace {

constexpr int kSamplesPerActionAndTable = 3;
constexpr int kConflictsListed = 100;

Uint128 HashOf(const TenantPlan& plan, const PlannedTable& table, const std::string& key,
               const std::string& payload) {
  return plan.hasher.Hash(table.number, key, payload);
}

state::Holder HolderOf(KeyOwner owner) {
  switch (owner) {
    case KeyOwner::kThisTenant:
      return state::THIS_TENANT;
    case KeyOwner::kOtherTenant:
      return state::OTHER_TENANT;
    case KeyOwner::kNobody:
      break;
  }
  return state::NOBODY;
}

int64_t SizeOf(const RowKey& key, const std::string& payload) {
  return static_cast<int64_t>(key.bytes().size() + payload.size());
}

}  // namespace

void PlanWriter::BeginTable(PlannedTable table, bool covered) {
  state::TableSummary* summary = plan_->summary.add_tables();
  summary->set_table(table.identity);
  summary->set_name(table.name);
  summary->set_covered(covered);
  plan_->tables.push_back(std::move(table));
  current_ = plan_->tables.size() - 1;
}

void PlanWriter::CountLive(const Record& record) {
  const Uint128 hash = HashOf(*plan_, table(), record.key.bytes(), record.payload);
  table().live.Add(hash, RecordBytes(record));
  table().expected.Add(hash, RecordBytes(record));
  summary().set_rows_live(table().live.rows);
}

void PlanWriter::CountAtPoint() { summary().set_rows_at_point(summary().rows_at_point() + 1); }

absl::Status PlanWriter::CheckPointIsWhole() {
  const int64_t wanted = table().at_point.value_or(Sum()).rows;
  if (summary().rows_at_point() == wanted) {
    return absl::OkStatus();
  }
  return MakeError(Reason::kShortfall, absl::StrCat("the history gave ", summary().rows_at_point(),
                                                    " rows; its manifest says ", wanted));
}

absl::Status PlanWriter::Append(ChangeKind kind, const RowKey& key, const std::string& old_payload,
                                const std::string& new_payload) {
  const std::string& refusal = !table().write_refusal.empty() || kind == ChangeKind::kInsert
                                   ? table().write_refusal
                                   : table().replace_refusal;
  if (!refusal.empty()) {
    return MakeError(table().refusal_reason,
                     absl::StrCat("its rows would have to be changed, but ", refusal));
  }
  action_.kind = kind;
  action_.table = static_cast<uint32_t>(current_);
  action_.key = key.bytes();
  action_.old_payload = old_payload;
  action_.new_payload = new_payload;
  if (kind != ChangeKind::kInsert) {
    table().expected.Subtract(HashOf(*plan_, table(), action_.key, old_payload),
                              SizeOf(key, old_payload));
  }
  if (kind != ChangeKind::kDelete) {
    table().expected.Add(HashOf(*plan_, table(), action_.key, new_payload),
                         SizeOf(key, new_payload));
    bytes_to_write_ += SizeOf(key, new_payload);
  }
  return plan_->actions.Append(action_);
}

absl::Status PlanWriter::Insert(const Record& record) {
  summary().set_inserted(summary().inserted() + 1);
  if (summary().inserted() <= kSamplesPerActionAndTable) {
    AddSample(record.key, "inserted");
  }
  return Append(ChangeKind::kInsert, record.key, std::string(), record.payload);
}

absl::Status PlanWriter::Replace(const Record& live, const std::string& new_payload) {
  summary().set_replaced(summary().replaced() + 1);
  if (summary().replaced() <= kSamplesPerActionAndTable) {
    AddSample(live.key, "replaced");
  }
  return Append(ChangeKind::kReplace, live.key, live.payload, new_payload);
}

absl::Status PlanWriter::Delete(const Record& live) {
  summary().set_deleted(summary().deleted() + 1);
  if (summary().deleted() <= kSamplesPerActionAndTable) {
    AddSample(live.key, "deleted");
  }
  return Append(ChangeKind::kDelete, live.key, live.payload, std::string());
}

void PlanWriter::Unchanged() { summary().set_unchanged(summary().unchanged() + 1); }

void PlanWriter::Kept(const RowKey& key) {
  summary().set_kept(summary().kept() + 1);
  if (summary().kept() <= kSamplesPerActionAndTable) {
    AddSample(key, "kept");
  }
}

state::Sample* PlanWriter::CountConflict(const RowKey& key, const std::string& action) {
  summary().set_conflicts(summary().conflicts() + 1);
  plan_->summary.set_conflict_count(plan_->summary.conflict_count() + 1);
  if (plan_->summary.conflicts_size() >= kConflictsListed) {
    return nullptr;
  }
  state::Sample* const conflict = plan_->summary.add_conflicts();
  conflict->set_table(table().name);
  conflict->set_key(key.bytes());
  conflict->set_action(action);
  return conflict;
}

void PlanWriter::KeyTaken(const RowKey& key, KeyOwner owner) {
  plan_->summary.set_taken_count(plan_->summary.taken_count() + 1);
  if (state::Sample* const conflict = CountConflict(key, "taken"); conflict != nullptr) {
    conflict->set_holder(HolderOf(owner));
  }
}

void PlanWriter::ChangedSince(const RowKey& key) { CountConflict(key, "changed"); }

void PlanWriter::Obstructed(ChangeKind kind, const RowKey& key, const Obstacle& obstacle) {
  ++obstructed_;
  if (kind == ChangeKind::kInsert) {
    summary().set_inserted(summary().inserted() - 1);
  } else {
    summary().set_replaced(summary().replaced() - 1);
  }
  auto& samples = *plan_->summary.mutable_samples();
  samples.erase(std::remove_if(samples.begin(), samples.end(),
                               [&](const state::Sample& sample) {
                                 return sample.table() == table().name &&
                                        sample.key() == key.bytes();
                               }),
                samples.end());
  plan_->summary.set_taken_count(plan_->summary.taken_count() + 1);
  const bool no_partition = obstacle.kind == ObstacleKind::kNoPartition;
  state::Sample* const conflict = CountConflict(key, no_partition ? "no partition" : "taken");
  if (conflict != nullptr && !no_partition) {
    conflict->set_constraint(obstacle.constraint);
    conflict->set_holder(HolderOf(obstacle.owner));
  }
}

void PlanWriter::AddSample(const RowKey& key, const std::string& action) {
  state::Sample* sample = plan_->summary.add_samples();
  sample->set_table(table().name);
  sample->set_key(key.bytes());
  sample->set_action(action);
}

void PlanWriter::Finish(const std::string& framing) {
  for (size_t i = 0; i < plan_->tables.size(); ++i) {
    *plan_->summary.mutable_tables(static_cast<int>(i))->mutable_expected() =
        ToProto(plan_->tables[i].expected);
  }
  plan_->summary.set_rows_to_change(plan_->actions.size() - obstructed_);
  plan_->summary.set_bytes_to_write(bytes_to_write_);
  Digest digest;
  digest.Add(framing);
  digest.Add(plan_->actions.FinishDigest());
  plan_->summary.set_digest(digest.Finish());
}

}  // namespace reinstate

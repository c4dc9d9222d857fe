#include "storage/history/range_merger.h"

#include <utility>

#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/history/key_codec.h"
#include "storage/history/record_codec.h"
#include "storage/model/key_parts.h"

namespace reinstate {
namespace {

constexpr size_t kScanReadahead = 2 << 20;
constexpr uint32_t kStepsBetweenLooks = 1024;

}  // namespace

RangeMerger::RangeMerger(const MergeTarget& target, const Inputs& inputs)
    : target_(target),
      inputs_(inputs),
      tally_(inputs.watch),
      old_(target.db, {.family = Family::kRecords,
                       .begin = inputs.begin,
                       .end = inputs.end,
                       .version = target.version - 1,
                       .readahead_bytes = kScanReadahead,
                       .fill_cache = false}),
      manifests_(target, *inputs.labels, inputs.begin, inputs.end),
      records_(target.db, target.db->TableOptions(Family::kRecords), "records") {
  for (const TableBinding::Table& table : inputs.tables->covered()) {
    schema_ids_[table.number] = table.schema_id;
  }
}

absl::Status RangeMerger::Run() {
  RETURN_IF_ERROR(manifests_.Open());
  RETURN_IF_ERROR(NextOld());
  RETURN_IF_ERROR(NextNew());
  while (at_old_ || at_new_) {
    RETURN_IF_ERROR(Step());
  }
  RETURN_IF_ERROR(EndTenant());
  RETURN_IF_ERROR(manifests_.Finish());
  return records_.Finish();
}

// Settles the smaller one of the present groups, or the one that both have.
absl::Status RangeMerger::Step() {
  if (++steps_ % kStepsBetweenLooks == 0) {
    RETURN_IF_ERROR(inputs_.watch->CheckCancelled());
  }
  int order = at_new_ ? -1 : 1;
  if (at_new_ && at_old_) {
    order = inputs_.rows->group().compare(old_.group());
  }
  if (order > 0) {
    RETURN_IF_ERROR(WriteTombstone());
    return NextOld();
  }
  RETURN_IF_ERROR(CountNew());
  const bool unchanged = order == 0 && old_.record().schema_id == schema_id_ &&
                         old_.record().payload == inputs_.rows->payload();
  if (!unchanged) {
    RETURN_IF_ERROR(WriteNew());
  }
  if (order == 0) {
    RETURN_IF_ERROR(NextOld());
  }
  return NextNew();
}

absl::Status RangeMerger::NextNew() {
  ASSIGN_OR_RETURN(at_new_, inputs_.rows->Next());
  return absl::OkStatus();
}

absl::Status RangeMerger::NextOld() {
  ASSIGN_OR_RETURN(at_old_, old_.Next());
  return absl::OkStatus();
}

absl::Status RangeMerger::StartTable() {
  KeyCodec::RecordGroup parsed;
  if (!KeyCodec::ParseRecordGroup(inputs_.rows->group(), &parsed)) {
    return MakeError(Reason::kInternal, "A sorted row has a malformed key.");
  }
  std::string tenant_prefix = KeyCodec::TenantPrefix(parsed.lineage, parsed.tenant);
  if (tenant_prefix != tenant_prefix_) {
    RETURN_IF_ERROR(EndTenant());
    if (inputs_.faults != nullptr) {
      RETURN_IF_ERROR(inputs_.faults->Hit("history.while_merging"));
    }
    tenant_prefix_ = std::move(tenant_prefix);
  }
  table_prefix_ = KeyCodec::TablePrefix(parsed.lineage, parsed.tenant, parsed.table);
  schema_id_ = schema_ids_.at(parsed.table);
  sums_.push_back({.number = parsed.table, .sum = {}});
  return absl::OkStatus();
}

absl::Status RangeMerger::EndTenant() {
  if (sums_.empty()) {
    return absl::OkStatus();
  }
  for (const TableSum& table : sums_) {
    rows_by_table_[table.number] += table.sum.rows;
  }
  return manifests_.Add(tenant_prefix_, std::exchange(sums_, {}));
}

absl::Status RangeMerger::CountNew() {
  const std::string_view group = inputs_.rows->group();
  if (table_prefix_.empty() || !group.starts_with(table_prefix_)) {
    RETURN_IF_ERROR(StartTable());
  }
  std::string_view rest = group.substr(table_prefix_.size());
  if (!ConsumeKeyPart(&rest, &row_key_) || !rest.empty()) {
    return MakeError(Reason::kInternal, "A sorted row has a malformed key.");
  }
  const std::string_view payload = inputs_.rows->payload();
  TableSum& table = sums_.back();
  const auto bytes = static_cast<int64_t>(row_key_.size() + payload.size());
  table.sum.Add(target_.hasher.Hash(table.number, row_key_, payload), bytes);
  return tally_.CountRow(bytes);
}

absl::Status RangeMerger::WriteNew() {
  key_ = inputs_.rows->group();
  KeyCodec::AppendVersion(target_.version, &key_);
  RecordCodec::Encode(key_, {.schema_id = schema_id_, .payload = inputs_.rows->payload()}, &value_);
  return records_.Put(key_, value_);
}

absl::Status RangeMerger::WriteTombstone() {
  key_ = old_.group();
  KeyCodec::AppendVersion(target_.version, &key_);
  RecordCodec::Encode(key_, {.tombstone = true}, &value_);
  return records_.Put(key_, value_);
}

}  // namespace reinstate

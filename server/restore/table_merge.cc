#include "server/restore/table_merge.h"

#include <utility>

#include "server/restore/ordered_stream.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr size_t kLookUpRows = 1000;
constexpr int64_t kLookUpBytes = 1 << 20;

}  // namespace

absl::Status TableMerge::Run(RecordStream* at_point, RecordStream* live) {
  OrderedStream point_side(at_point);
  OrderedStream live_side(live);
  RETURN_IF_ERROR(point_side.Advance());
  RETURN_IF_ERROR(live_side.Advance());
  while (point_side.has() || live_side.has()) {
    const bool take_point =
        point_side.has() && (!live_side.has() || point_side.record().key <= live_side.record().key);
    const bool take_live =
        live_side.has() && (!point_side.has() || live_side.record().key <= point_side.record().key);
    RETURN_IF_ERROR(
        meter_->Tick(RecordBytes(take_point ? point_side.record() : live_side.record())));
    if (take_point && take_live) {
      RETURN_IF_ERROR(OnBothSides(point_side.record(), live_side.record()));
    } else if (take_point) {
      RETURN_IF_ERROR(OnlyAtPoint(&point_side.record()));
    } else {
      RETURN_IF_ERROR(OnlyLive(live_side.record()));
    }
    if (take_point) {
      RETURN_IF_ERROR(point_side.Advance());
    }
    if (take_live) {
      RETURN_IF_ERROR(live_side.Advance());
    }
  }
  RETURN_IF_ERROR(SettleInsertions());
  return writer_->CheckPointIsWhole();
}

absl::Status TableMerge::OnBothSides(const Record& at_point, const Record& live) {
  writer_->CountAtPoint();
  writer_->CountLive(live);
  if (at_point.payload == live.payload) {
    writer_->Unchanged();
    return absl::OkStatus();
  }
  if (options_.mode == state::CREATE_MISSING) {
    writer_->Kept(live.key);
    return absl::OkStatus();
  }
  return writer_->Replace(live, at_point.payload);
}

absl::Status TableMerge::OnlyLive(const Record& record) {
  writer_->CountLive(record);
  if (options_.mode == state::MIRROR) {
    return writer_->Delete(record);
  }
  writer_->Kept(record.key);
  return absl::OkStatus();
}

absl::Status TableMerge::OnlyAtPoint(Record* record) {
  writer_->CountAtPoint();
  if (!options_.look_up_keys) {
    return writer_->Insert(*record);
  }
  insertion_bytes_ += RecordBytes(*record);
  insertions_.push_back(*record);
  if (insertions_.size() < kLookUpRows && insertion_bytes_ < kLookUpBytes) {
    return absl::OkStatus();
  }
  return SettleInsertions();
}

absl::Status TableMerge::SettleInsertions() {
  if (insertions_.empty()) {
    return absl::OkStatus();
  }
  std::vector<RowKey> keys;
  keys.reserve(insertions_.size());
  for (const Record& record : insertions_) {
    keys.push_back(record.key);
  }
  ASSIGN_OR_RETURN(const std::vector<KeyState> states, session_->LookUp(options_.table, keys));
  if (states.size() != keys.size()) {
    return MakeError(Reason::kInternal,
                     "the store answered for another number of keys than it was asked");
  }
  for (size_t i = 0; i < insertions_.size(); ++i) {
    if (states[i].owner == KeyOwner::kNobody && !states[i].payload.has_value()) {
      RETURN_IF_ERROR(writer_->Insert(insertions_[i]));
    } else {
      writer_->KeyTaken(insertions_[i].key, states[i].owner);
    }
  }
  insertions_.clear();
  insertion_bytes_ = 0;
  return absl::OkStatus();
}

}  // namespace reinstate

#include "storage/history/sorted_rows.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/history/key_codec.h"
#include "storage/model/key_parts.h"

namespace reinstate {

absl::Status RowKeyer::StartTable(const TenantRow& row) {
  const TableBinding::Table* table = tables_->ForMapIndex(row.table);
  if (table == nullptr) {
    return MakeError(Reason::kInternal,
                     absl::StrCat("The store gave a row of table index ", row.table,
                                  ", which its map does not say is captured."));
  }
  if (!row.tenant.empty()) {
    RETURN_IF_ERROR(TenantId::Parse(row.tenant).status());
  }
  prefix_ = KeyCodec::TablePrefix(lineage_, row.tenant, table->number);
  tenant_ = row.tenant;
  table_ = row.table;
  return absl::OkStatus();
}

absl::Status RowKeyer::MakeGroup(const TenantRow& row, std::string* group) {
  if (table_ != row.table || tenant_ != row.tenant) {
    RETURN_IF_ERROR(StartTable(row));
  }
  *group = prefix_;
  AppendKeyPart(row.record.key.bytes(), group);
  return absl::OkStatus();
}

OrderedShardRows::OrderedShardRows(std::unique_ptr<TenantRowStream> stream, RowKeyer keyer)
    : stream_(std::move(stream)), keyer_(std::move(keyer)) {}

absl::StatusOr<bool> OrderedShardRows::Peek() {
  if (!peeked_.has_value()) {
    ASSIGN_OR_RETURN(peeked_, stream_->Next(&row_));
  }
  return *peeked_;
}

void OrderedShardRows::SetBounds(std::string begin, std::string end) {
  begin_ = std::move(begin);
  end_ = std::move(end);
}

absl::StatusOr<bool> OrderedShardRows::Next() {
  ASSIGN_OR_RETURN(const bool found, Peek());
  if (!found) {
    return false;
  }
  peeked_.reset();
  std::swap(group_, last_group_);
  RETURN_IF_ERROR(keyer_.MakeGroup(row_, &group_));
  if (group_ == last_group_) {
    return MakeError(Reason::kCorrupt,
                     absl::StrCat("The store gave the same row twice (tenant ",
                                  Printable(row_.tenant), ", table index ", row_.table, ")."));
  }
  if (group_ < last_group_ || group_ < begin_ || group_ >= end_) {
    return MakeError(Reason::kInternal,
                     absl::StrCat("The store says that its rows are in the order of tenants, and ",
                                  "they are not (tenant ", Printable(row_.tenant), ", table index ",
                                  row_.table, ")."));
  }
  return true;
}

}  // namespace reinstate

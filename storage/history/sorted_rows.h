#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/history/table_binding.h"
#include "storage/model/streams.h"

namespace reinstate {

// Rows of a new snapshot, strictly ascending by their group key (KeyCodec). Not thread-safe.
class SortedRows {
 public:
  virtual ~SortedRows() = default;

  // Goes to the next row; false at the end.
  virtual absl::StatusOr<bool> Next() = 0;

  // Of the present row; valid until the next call of Next.
  virtual std::string_view group() const = 0;
  virtual std::string_view payload() const = 0;
};

// The group key of a row of a source. INTERNAL if its table is not one that is covered;
// TENANT_ID_INVALID if its tenant is not one.
class RowKeyer {
 public:
  RowKeyer(uint32_t lineage, const TableBinding* tables) : lineage_(lineage), tables_(tables) {}

  absl::Status MakeGroup(const TenantRow& row, std::string* group);

 private:
  absl::Status StartTable(const TenantRow& row);

  const uint32_t lineage_;
  const TableBinding* const tables_;
  // Of the row before: neighbours mostly share them.
  std::optional<uint32_t> table_;
  std::string tenant_;
  std::string prefix_;
};

// A shard of a source that says that it is ordered, and is held to it: rows that do not ascend, or
// leave [begin, end), end in INTERNAL.
class OrderedShardRows : public SortedRows {
 public:
  OrderedShardRows(std::unique_ptr<TenantRowStream> stream, RowKeyer keyer);

  // Looks at the first row, before Next. False if there is none.
  absl::StatusOr<bool> Peek();
  const TenantRow& peeked() const { return row_; }

  void SetBounds(std::string begin, std::string end);

  absl::StatusOr<bool> Next() override;
  std::string_view group() const override { return group_; }
  std::string_view payload() const override { return row_.record.payload; }

 private:
  const std::unique_ptr<TenantRowStream> stream_;
  RowKeyer keyer_;
  std::string begin_;
  std::string end_;
  std::optional<bool> peeked_;  // what Peek returned, until Next has used it
  TenantRow row_;
  std::string group_;
  std::string last_group_;
};

}  // namespace reinstate

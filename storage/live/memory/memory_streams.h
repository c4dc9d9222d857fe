#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "storage/live/memory/memory_state.h"
#include "storage/model/streams.h"

namespace reinstate {

// The records of one table from a key on. Shares the rows, which nobody changes while it is open.
class MemoryRecordStream final : public RecordStream {
 public:
  // `check`, if any, is asked before each record; its error ends the stream.
  MemoryRecordStream(std::shared_ptr<const TableRows> rows, const RowKey& from,
                     std::function<absl::Status()> check = nullptr)
      : rows_(std::move(rows)), check_(std::move(check)), next_(rows_->lower_bound(from)) {}

  absl::StatusOr<bool> Next(Record* record) override {
    if (check_ && status_.ok()) {
      status_ = check_();
    }
    if (!status_.ok()) {
      return status_;
    }
    if (next_ == rows_->end()) {
      return false;
    }
    record->key = next_->first;
    record->payload = next_->second;
    ++next_;
    return true;
  }

 private:
  const std::shared_ptr<const TableRows> rows_;
  const std::function<absl::Status()> check_;
  TableRows::const_iterator next_;
  absl::Status status_;
};

// One table of a tenant, sharing its rows.
inline std::shared_ptr<const TableRows> ShareTable(const std::shared_ptr<const TenantRows>& rows,
                                                   const std::string& table) {
  const auto found = rows->find(table);
  return found == rows->end() ? std::make_shared<const TableRows>()
                              : std::shared_ptr<const TableRows>(rows, &found->second);
}

}  // namespace reinstate

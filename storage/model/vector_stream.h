#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/model/streams.h"

namespace reinstate {

// A stream (of streams.h) of what is in memory, in its order. Not thread-safe.
template <typename Stream, typename Item>
class VectorStream final : public Stream {
 public:
  explicit VectorStream(std::vector<Item> items) : items_(std::move(items)) {}

  absl::StatusOr<bool> Next(Item* item) override {
    if (next_ == items_.size()) {
      return false;
    }
    *item = items_[next_++];
    return true;
  }

 private:
  const std::vector<Item> items_;
  size_t next_ = 0;
};

using RecordVectorStream = VectorStream<RecordStream, Record>;
using LabelsVectorStream = VectorStream<TenantLabelsStream, TenantLabels>;
using CountVectorStream = VectorStream<TenantCountStream, TenantCount>;

}  // namespace reinstate

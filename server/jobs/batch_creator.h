#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/jobs/batch_desk.h"
#include "server/jobs/batch_view.h"
#include "storage/base/id_generator.h"

namespace reinstate {

// Makes batches: from a list, from a dry run, to undo another one. Thread-safe; borrows the desk.
class BatchCreator {
 public:
  explicit BatchCreator(const BatchDesk* desk) : desk_(desk), ids_(desk->clock) {}

  // As BatchManager::CreateBatch.
  absl::StatusOr<BatchView> Create(const RequestKey& request, const state::BatchOrder& order,
                                   const std::vector<BatchLineOrder>& lines, bool validate_only);
  // As BatchManager::CreateUndo.
  absl::StatusOr<BatchView> CreateUndo(const RequestKey& request, state::BatchOrder order,
                                       bool validate_only);

 private:
  // Of an undo: the one of the same batch that is under way, if there is one.
  absl::StatusOr<BatchView> Store(const RequestKey& request, state::BatchRecord batch,
                                  BatchParts parts);
  // The undo of the batch that is under way, or nothing if one may be created. NOT_UNDOABLE.
  absl::StatusOr<std::optional<std::string>> UndoBefore(const std::string& undone) const;
  absl::StatusOr<BatchView> CreateFromPlan(const RequestKey& request,
                                           const state::BatchOrder& order, bool validate_only);

  const BatchDesk* const desk_;
  IdGenerator ids_;
};

}  // namespace reinstate

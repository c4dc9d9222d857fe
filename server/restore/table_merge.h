#pragma once

#include <vector>

#include "absl/status/status.h"
#include "server/restore/plan_writer.h"
#include "server/restore/progress_meter.h"
#include "storage/live/tenant_session.h"
#include "storage/model/streams.h"
#include "storage/state/state.pb.h"

namespace reinstate {

// Merges one table of a tenant at the point with the same table live, and writes what the mode does
// with each row. Not thread-safe; used once.
class TableMerge {
 public:
  struct Options {
    state::Mode mode = state::CREATE_MISSING;
    std::string table;         // identity
    bool look_up_keys = true;  // whether a key that is not live can belong to somebody else
  };

  // Borrows everything.
  TableMerge(Options options, TenantSession* session, PlanWriter* writer, ProgressMeter* meter)
      : options_(std::move(options)), session_(session), writer_(writer), meter_(meter) {}

  // `at_point` may be null: the snapshot has nothing of this table. Errors of the streams, of the
  // session and of the writer; CORRUPT if a stream does not ascend, SHORTFALL if the point's is not
  // whole.
  absl::Status Run(RecordStream* at_point, RecordStream* live);

 private:
  absl::Status OnlyAtPoint(Record* record);
  absl::Status OnlyLive(const Record& record);
  absl::Status OnBothSides(const Record& at_point, const Record& live);
  absl::Status SettleInsertions();

  const Options options_;
  TenantSession* const session_;
  PlanWriter* const writer_;
  ProgressMeter* const meter_;
  std::vector<Record> insertions_;  // whose keys have yet to be looked up
  int64_t insertion_bytes_ = 0;
};

}  // namespace reinstate

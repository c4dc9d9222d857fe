#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/model/record.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

// Records of one tenant's table, pulled one by one. Not thread-safe. To be destroyed before what it
// was opened from.
class RecordStream {
 public:
  virtual ~RecordStream() = default;

  // Puts the next record into `*record` (whose memory is reused) and returns true, or returns false
  // at the end. After an error or the end every further call gives the same again. A stream that
  // cannot give everything ends with an error, never early.
  virtual absl::StatusOr<bool> Next(Record* record) = 0;
};

// A row of a cut of the whole store.
struct TenantRow {
  std::string tenant;  // the id's text; empty if the row belongs to nobody
  uint32_t table = 0;  // index into the tables of the cut's map
  Record record;
};

// Rows of one shard of a cut. As RecordStream otherwise.
class TenantRowStream {
 public:
  virtual ~TenantRowStream() = default;

  virtual absl::StatusOr<bool> Next(TenantRow* row) = 0;
};

// What people call a tenant: its name first, then other names. Not unique.
struct TenantLabels {
  TenantId tenant = TenantId::Ownerless();
  std::vector<std::string> labels;
};

// The labels of all tenants that have any, ascending bytewise by tenant id, each tenant once. As
// RecordStream otherwise.
class TenantLabelsStream {
 public:
  virtual ~TenantLabelsStream() = default;

  virtual absl::StatusOr<bool> Next(TenantLabels* labels) = 0;
};

// The number of rows that a tenant has.
struct TenantCount {
  TenantId tenant = TenantId::Ownerless();
  int64_t rows = 0;
};

// One entry a tenant with rows, ascending bytewise by tenant id. As RecordStream otherwise.
class TenantCountStream {
 public:
  virtual ~TenantCountStream() = default;

  virtual absl::StatusOr<bool> Next(TenantCount* count) = 0;
};

}  // namespace reinstate

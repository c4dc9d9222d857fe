#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/model/record.h"
#include "storage/model/streams.h"
#include "storage/model/tenant_id.h"

namespace reinstate {

// One write of an application: a payload to put, or nothing to delete.
struct RecordWrite {
  TenantId tenant = TenantId::Ownerless();
  std::string table;  // name; a table exists once it has been written to, 1 to 255 bytes of UTF-8
  RowKey key;
  std::optional<std::string> payload;
};

// What applications do with a store that is embedded in the daemon: the side that a restore must
// not disturb. Thread-safe. A write goes on during a restore of the same tenant; it is never lost,
// and a restore that cannot take it up fails instead.
class RecordStore {
 public:
  static constexpr size_t kMaxTableNameBytes = 255;
  static constexpr size_t kMaxKeyBytes = 16 << 10;
  static constexpr size_t kMaxPayloadBytes = 64 << 20;

  virtual ~RecordStore() = default;

  // Applies all of `writes` in one step, in order. Durable at once if `sync`, otherwise after a
  // crash of the machine (not of the process) the last ones may be missing. INVALID_ARGUMENT (a bad
  // table name), TOO_LARGE, NO_SPACE: nothing is written then.
  virtual absl::Status Write(std::span<const RecordWrite> writes, bool sync) = 0;

  // nullopt if there is no such record.
  virtual absl::StatusOr<std::optional<std::string>> Get(const TenantId& tenant,
                                                         const std::string& table,
                                                         const RowKey& key) = 0;

  // The tenant's records of one table from `from` on, ascending by key, in one consistent view.
  virtual absl::StatusOr<std::unique_ptr<RecordStream>> Scan(const TenantId& tenant,
                                                             const std::string& table,
                                                             const RowKey& from) = 0;

  // Deletes all of a tenant's records at once, as an application's own clean-up would. Returns how
  // many there were.
  virtual absl::StatusOr<int64_t> DeleteTenant(const TenantId& tenant) = 0;
};

// INVALID_ARGUMENT if `table` is no table's name.
absl::Status CheckTableName(std::string_view table);

// OK if `write` is within the limits above; otherwise the error that Write gives for it.
absl::Status CheckRecordWrite(const RecordWrite& write);

}  // namespace reinstate

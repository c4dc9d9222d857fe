#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/model/snapshot_id.h"

namespace reinstate {

// Builds and parses all keys of the history. Keys compare bytewise in the order of their parts, and
// no key is a prefix of another one of its family. Tenant and row key may be any bytes.
//
//   records    lineage, tenant, table, row key | ~version
//   manifests  lineage, tenant                 | ~version
//   roots      lineage, version
//
// What stands before ~version is the key's *group*: all versions of one record or manifest, the
// newest first.
class KeyCodec {
 public:
  static constexpr size_t kVersionBytes = 8;

  struct RecordGroup {
    uint32_t lineage = 0;
    std::string tenant;
    uint32_t table = 0;
    std::string row_key;

    friend bool operator==(const RecordGroup&, const RecordGroup&) = default;
  };

  struct ManifestGroup {
    uint32_t lineage = 0;
    std::string tenant;

    friend bool operator==(const ManifestGroup&, const ManifestGroup&) = default;
  };

  // Everything of a lineage; of a tenant in it (this is also the manifest's group); of one of the
  // tenant's tables.
  static std::string LineagePrefix(uint32_t lineage);
  static std::string TenantPrefix(uint32_t lineage, std::string_view tenant);
  static std::string TablePrefix(uint32_t lineage, std::string_view tenant, uint32_t table);

  // The smallest key that is greater than all that begin with `prefix`, which must hold a byte
  // other than FF; it does if it came from the functions above and the lineage is not 2^32 - 1.
  static std::string PrefixEnd(std::string_view prefix);

  static std::string RecordGroupKey(const RecordGroup& group);

  // What TenantPrefix made of a key of `records` or `manifests`; empty if it is malformed.
  static std::string_view TenantPrefixOf(std::string_view key);

  // Appends ~version to a group.
  static void AppendVersion(uint64_t version, std::string* key);
  static std::string Versioned(std::string_view group, uint64_t version);

  static std::string RootKey(const SnapshotId& id);

  // `catalog`.
  static std::string FormatKey();
  static std::string LineageKey(uint32_t lineage);
  static std::string SnapshotKey(const SnapshotId& id);
  static std::string AllLineagesPrefix();
  static std::string AllSnapshotsPrefix();

  // The opposite. False if `key` is malformed; the results are then unspecified. `*group` borrows
  // from `key`.
  static bool SplitVersion(std::string_view key, std::string_view* group, uint64_t* version);
  static bool ParseRecordGroup(std::string_view group, RecordGroup* parsed);
  static bool ParseManifestGroup(std::string_view group, ManifestGroup* parsed);
  static bool ParseRootKey(std::string_view key, SnapshotId* id);
  static bool ParseLineageKey(std::string_view key, uint32_t* lineage);
  static bool ParseSnapshotKey(std::string_view key, SnapshotId* id);
};

}  // namespace reinstate

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/model/tenant_id.h"

namespace reinstate {

// Which generation of a tenant's records is the one that counts.
struct TenantHead {
  uint64_t generation = 1;
  uint64_t next_generation = 2;  // the first number that was never given to a generation
  bool has_cornerstone = false;  // whether the generation was built of files

  friend bool operator==(const TenantHead&, const TenantHead&) = default;
};

// Builds and parses the keys and values of the embedded store. This is its format, version 1.
//
//   family     key                                            value
//   records    part(tenant) u64(generation) part(table) key   payload
//              part(tenant) u64(generation)                   (empty): the cornerstone
//   heads      tenant                                         u64(generation) u64(next generation)
//                                                             and, with a cornerstone, a byte 'c'
//   tables     table                                          (empty)
//   default    'f'                                            "1", the format's version
//              'i'                                            the store's id
//              'a' u32(shard)                                 u64: synced writes of this shard
//              'c' part(tenant) token                         u64: when committed, microseconds
//              'r' part(tenant) u64(generation)               (empty): to be removed
//              'b'                                            (empty): written to rotate the log
//
// The cornerstone of a generation is in the files that the generation was built of, and only there.
// It is not a record of the application. Files become part of the database by an entry in its list
// of files, while the head that names the generation goes through the log: if a damaged list lost
// the entry, the missing cornerstone shows it.
//
// part() and the numbers are those of storage/model/key_parts.h, so that records ascend by tenant,
// generation, table and key. The key at the end is unescaped: nothing follows it. There is no
// checksum of our own: RocksDB checks that of every block and log record that it reads, and losing
// whole files or a part of the log is what the counts ('a') are for.
//
// Calls take any bytes as tenant, table and key.
class EmbeddedKeyCodec {
 public:
  static constexpr std::string_view kFormatKey = "f";
  static constexpr std::string_view kStoreIdKey = "i";
  static constexpr std::string_view kBarrierKey = "b";
  static constexpr std::string_view kRetiredPrefix = "r";
  static constexpr std::string_view kFormat = "1";
  static constexpr char kHasCornerstone = 'c';

  // What all records of a generation begin with. Those of generation + 1 come after all of these.
  static std::string GenerationPrefix(const TenantId& tenant, uint64_t generation);

  // What follows GenerationPrefix in the keys of a table's records, before the record's own key.
  static std::string TablePart(std::string_view table);

  // The first key of a generation's records: after the cornerstone, before every place.
  static std::string FirstRecord(const TenantId& tenant, uint64_t generation);

  // TablePart and key: a record's place within any generation.
  static std::string Place(std::string_view table, std::string_view key);

  // Takes the table's name from the front of a place; what is left is the record's key. False if it
  // is malformed.
  static bool ConsumeTable(std::string_view* place, std::string* table);

  // Takes tenant and generation from the front of a key of `records`; what is left is a place.
  static bool ConsumeGeneration(std::string_view* key, std::string* tenant, uint64_t* generation);

  // The least string that is greater than every string that begins with `prefix`, which ends with a
  // byte other than 0xff.
  static std::string After(std::string prefix);

  static std::string EncodeHead(const TenantHead& head);
  static bool DecodeHead(std::string_view value, TenantHead* head);

  static std::string CountKey(uint32_t shard);
  static std::string CommitPrefix(const TenantId& tenant);
  static std::string CommitKey(const TenantId& tenant, std::string_view token);
  static std::string RetiredKey(const TenantId& tenant, uint64_t generation);
  static bool ParseRetiredKey(std::string_view key, std::string* tenant, uint64_t* generation);

  static std::string EncodeNumber(uint64_t number);
  static bool DecodeNumber(std::string_view value, uint64_t* number);
};

}  // namespace reinstate

#include "storage/live/rocksdb/embedded_key_codec.h"

#include "storage/model/key_parts.h"

namespace reinstate {

std::string EmbeddedKeyCodec::GenerationPrefix(const TenantId& tenant, uint64_t generation) {
  std::string key;
  AppendKeyPart(tenant.value(), &key);
  AppendKeyPart64(generation, &key);
  return key;
}

std::string EmbeddedKeyCodec::TablePart(std::string_view table) {
  std::string part;
  AppendKeyPart(table, &part);
  return part;
}

std::string EmbeddedKeyCodec::FirstRecord(const TenantId& tenant, uint64_t generation) {
  std::string key = GenerationPrefix(tenant, generation);
  key.push_back('\0');
  return key;
}

std::string EmbeddedKeyCodec::Place(std::string_view table, std::string_view key) {
  return TablePart(table).append(key);
}

bool EmbeddedKeyCodec::ConsumeTable(std::string_view* place, std::string* table) {
  return ConsumeKeyPart(place, table);
}

bool EmbeddedKeyCodec::ConsumeGeneration(std::string_view* key, std::string* tenant,
                                         uint64_t* generation) {
  return ConsumeKeyPart(key, tenant) && ConsumeKeyPart64(key, generation);
}

std::string EmbeddedKeyCodec::After(std::string prefix) {
  ++prefix.back();
  return prefix;
}

std::string EmbeddedKeyCodec::EncodeHead(const TenantHead& head) {
  std::string value;
  AppendKeyPart64(head.generation, &value);
  AppendKeyPart64(head.next_generation, &value);
  if (head.has_cornerstone) {
    value.push_back(kHasCornerstone);
  }
  return value;
}

bool EmbeddedKeyCodec::DecodeHead(std::string_view value, TenantHead* head) {
  const bool has_numbers = ConsumeKeyPart64(&value, &head->generation) &&
                           ConsumeKeyPart64(&value, &head->next_generation);
  head->has_cornerstone = !value.empty();
  return has_numbers && head->generation < head->next_generation &&
         (value.empty() || value == std::string_view(&kHasCornerstone, 1));
}

std::string EmbeddedKeyCodec::CountKey(uint32_t shard) {
  std::string key = "a";
  AppendKeyPart32(shard, &key);
  return key;
}

std::string EmbeddedKeyCodec::CommitPrefix(const TenantId& tenant) {
  std::string key = "c";
  AppendKeyPart(tenant.value(), &key);
  return key;
}

std::string EmbeddedKeyCodec::CommitKey(const TenantId& tenant, std::string_view token) {
  return CommitPrefix(tenant).append(token);
}

std::string EmbeddedKeyCodec::RetiredKey(const TenantId& tenant, uint64_t generation) {
  return std::string(kRetiredPrefix) + GenerationPrefix(tenant, generation);
}

bool EmbeddedKeyCodec::ParseRetiredKey(std::string_view key, std::string* tenant,
                                       uint64_t* generation) {
  if (!key.starts_with(kRetiredPrefix)) {
    return false;
  }
  key.remove_prefix(kRetiredPrefix.size());
  return ConsumeGeneration(&key, tenant, generation) && key.empty();
}

std::string EmbeddedKeyCodec::EncodeNumber(uint64_t number) {
  std::string value;
  AppendKeyPart64(number, &value);
  return value;
}

bool EmbeddedKeyCodec::DecodeNumber(std::string_view value, uint64_t* number) {
  return ConsumeKeyPart64(&value, number) && value.empty();
}

}  // namespace reinstate

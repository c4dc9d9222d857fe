#include "storage/history/key_codec.h"

#include "storage/model/key_parts.h"

namespace reinstate {
namespace {

constexpr char kFormat = 'F';
constexpr char kLineage = 'L';
constexpr char kSnapshot = 'S';

bool ConsumeByte(char byte, std::string_view* key) {
  if (!key->starts_with(byte)) {
    return false;
  }
  key->remove_prefix(1);
  return true;
}

}  // namespace

std::string KeyCodec::LineagePrefix(uint32_t lineage) {
  std::string key;
  AppendKeyPart32(lineage, &key);
  return key;
}

std::string KeyCodec::TenantPrefix(uint32_t lineage, std::string_view tenant) {
  std::string key = LineagePrefix(lineage);
  AppendKeyPart(tenant, &key);
  return key;
}

std::string_view KeyCodec::TenantPrefixOf(std::string_view key) {
  std::string_view rest = key;
  uint32_t lineage = 0;
  std::string tenant;
  if (!ConsumeKeyPart32(&rest, &lineage) || !ConsumeKeyPart(&rest, &tenant)) {
    return {};
  }
  return key.substr(0, key.size() - rest.size());
}

std::string KeyCodec::TablePrefix(uint32_t lineage, std::string_view tenant, uint32_t table) {
  std::string key = TenantPrefix(lineage, tenant);
  AppendKeyPart32(table, &key);
  return key;
}

std::string KeyCodec::PrefixEnd(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && end.back() == '\xff') {
    end.pop_back();
  }
  if (!end.empty()) {
    end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  }
  return end;
}

std::string KeyCodec::RecordGroupKey(const RecordGroup& group) {
  std::string key = TablePrefix(group.lineage, group.tenant, group.table);
  AppendKeyPart(group.row_key, &key);
  return key;
}

void KeyCodec::AppendVersion(uint64_t version, std::string* key) { AppendKeyPart64(~version, key); }

std::string KeyCodec::Versioned(std::string_view group, uint64_t version) {
  std::string key(group);
  AppendVersion(version, &key);
  return key;
}

std::string KeyCodec::RootKey(const SnapshotId& id) {
  std::string key = LineagePrefix(id.lineage);
  AppendKeyPart64(id.version, &key);
  return key;
}

std::string KeyCodec::FormatKey() { return {kFormat}; }

std::string KeyCodec::AllLineagesPrefix() { return {kLineage}; }

std::string KeyCodec::AllSnapshotsPrefix() { return {kSnapshot}; }

std::string KeyCodec::LineageKey(uint32_t lineage) {
  return AllLineagesPrefix() + LineagePrefix(lineage);
}

std::string KeyCodec::SnapshotKey(const SnapshotId& id) {
  return AllSnapshotsPrefix() + RootKey(id);
}

bool KeyCodec::SplitVersion(std::string_view key, std::string_view* group, uint64_t* version) {
  if (key.size() < kVersionBytes) {
    return false;
  }
  *group = key.substr(0, key.size() - kVersionBytes);
  std::string_view rest = key.substr(group->size());
  uint64_t inverted = 0;
  ConsumeKeyPart64(&rest, &inverted);
  *version = ~inverted;
  return true;
}

bool KeyCodec::ParseRecordGroup(std::string_view group, RecordGroup* parsed) {
  return ConsumeKeyPart32(&group, &parsed->lineage) && ConsumeKeyPart(&group, &parsed->tenant) &&
         ConsumeKeyPart32(&group, &parsed->table) && ConsumeKeyPart(&group, &parsed->row_key) &&
         group.empty();
}

bool KeyCodec::ParseManifestGroup(std::string_view group, ManifestGroup* parsed) {
  return ConsumeKeyPart32(&group, &parsed->lineage) && ConsumeKeyPart(&group, &parsed->tenant) &&
         group.empty();
}

bool KeyCodec::ParseRootKey(std::string_view key, SnapshotId* id) {
  return ConsumeKeyPart32(&key, &id->lineage) && ConsumeKeyPart64(&key, &id->version) &&
         key.empty();
}

bool KeyCodec::ParseLineageKey(std::string_view key, uint32_t* lineage) {
  return ConsumeByte(kLineage, &key) && ConsumeKeyPart32(&key, lineage) && key.empty();
}

bool KeyCodec::ParseSnapshotKey(std::string_view key, SnapshotId* id) {
  return ConsumeByte(kSnapshot, &key) && ParseRootKey(key, id);
}

}  // namespace reinstate

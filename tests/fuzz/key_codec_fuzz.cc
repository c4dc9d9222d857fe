// Keys of the history: any bytes are parsed without harm, what is parsed is built again as it was,
// and keys keep the order of their parts.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include "storage/history/key_codec.h"
#include "tests/fuzz/require.h"

namespace reinstate {
namespace {

using RecordGroup = KeyCodec::RecordGroup;

void ParseAnything(const std::string& bytes) {
  RecordGroup record;
  if (KeyCodec::ParseRecordGroup(bytes, &record)) {
    Require(KeyCodec::RecordGroupKey(record) == bytes, "a record's key is what was parsed");
  }
  KeyCodec::ManifestGroup manifest;
  if (KeyCodec::ParseManifestGroup(bytes, &manifest)) {
    Require(KeyCodec::TenantPrefix(manifest.lineage, manifest.tenant) == bytes,
            "a manifest's key is what was parsed");
  }
  SnapshotId id;
  if (KeyCodec::ParseRootKey(bytes, &id)) {
    Require(KeyCodec::RootKey(id) == bytes, "a root's key is what was parsed");
  }
  if (KeyCodec::ParseSnapshotKey(bytes, &id)) {
    Require(KeyCodec::SnapshotKey(id) == bytes, "a snapshot's key is what was parsed");
  }
  uint32_t lineage = 0;
  if (KeyCodec::ParseLineageKey(bytes, &lineage)) {
    Require(KeyCodec::LineageKey(lineage) == bytes, "a lineage's key is what was parsed");
  }
  std::string_view group;
  uint64_t version = 0;
  if (KeyCodec::SplitVersion(bytes, &group, &version)) {
    Require(KeyCodec::Versioned(group, version) == bytes, "a version is what was split off");
  }
}

// Takes the parts of a group from the front of the input; its texts are short, so that two of them
// are often alike.
RecordGroup TakeGroup(std::string_view* input) {
  const auto byte = [input] {
    const uint8_t taken = input->empty() ? 0 : static_cast<uint8_t>(input->front());
    input->remove_prefix(input->empty() ? 0 : 1);
    return taken;
  };
  const auto text = [&] {
    const std::string taken(input->substr(0, byte() % 8));
    input->remove_prefix(std::min(input->size(), taken.size()));
    return taken;
  };
  RecordGroup group;
  group.lineage = byte() % 3;
  group.tenant = text();
  group.table = byte() % 3;
  group.row_key = text();
  return group;
}

auto Parts(const RecordGroup& group) {
  return std::tie(group.lineage, group.tenant, group.table, group.row_key);
}

void BuildAndCompare(std::string_view input) {
  const RecordGroup a = TakeGroup(&input);
  const RecordGroup b = TakeGroup(&input);
  const std::string key_a = KeyCodec::RecordGroupKey(a);
  const std::string key_b = KeyCodec::RecordGroupKey(b);
  Require((key_a < key_b) == (Parts(a) < Parts(b)), "keys keep the order of their parts");
  Require(a == b || !key_a.starts_with(key_b), "no key is a prefix of another");
  RecordGroup parsed;
  Require(KeyCodec::ParseRecordGroup(key_a, &parsed) && parsed == a, "a key is parsed as built");
  const std::string end = KeyCodec::PrefixEnd(KeyCodec::TenantPrefix(a.lineage, a.tenant));
  const auto whose = [](const RecordGroup& group) { return std::tie(group.lineage, group.tenant); };
  Require((key_b < end) == (whose(b) <= whose(a)), "a tenant's keys end before the next tenant's");
}

}  // namespace
}  // namespace reinstate

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  reinstate::ParseAnything(bytes);
  reinstate::BuildAndCompare(bytes);
  return 0;
}

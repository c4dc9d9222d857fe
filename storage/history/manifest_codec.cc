#include "storage/history/manifest_codec.h"

#include <cstdint>

#include "storage/base/error.h"

namespace reinstate {
namespace {

// Table numbers begin at 1, so that no record has the same hash as a manifest.
constexpr uint32_t kManifestTable = 0;

}  // namespace

history::Sum SumToProto(const Sum& sum) {
  history::Sum proto;
  proto.set_rows(sum.rows);
  proto.set_bytes(sum.bytes);
  proto.set_hash_high(static_cast<uint64_t>(sum.hash >> 64));
  proto.set_hash_low(static_cast<uint64_t>(sum.hash));
  return proto;
}

Sum SumFromProto(const history::Sum& sum) {
  return {.rows = sum.rows(),
          .bytes = sum.bytes(),
          .hash = (static_cast<Uint128>(sum.hash_high()) << 64) | sum.hash_low()};
}

std::string ManifestCodec::Encode(const TenantManifest& manifest) {
  history::Manifest proto;
  for (const std::string& label : manifest.labels) {
    proto.add_labels(label);
  }
  for (const TableSum& table : manifest.tables) {
    history::TableSum* added = proto.add_tables();
    added->set_number(table.number);
    *added->mutable_sum() = SumToProto(table.sum);
  }
  return proto.SerializeAsString();
}

std::string ManifestCodec::EncodeGone() {
  history::Manifest proto;
  proto.set_gone(true);
  return proto.SerializeAsString();
}

absl::StatusOr<ManifestCodec::Manifest> ManifestCodec::Decode(std::string_view tenant,
                                                              std::string_view body) {
  history::Manifest proto;
  if (!proto.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return MakeError(Reason::kCorrupt, "A manifest in the history is malformed.");
  }
  Manifest manifest{.exists = !proto.gone()};
  manifest.content.tenant = TenantId::FromStored(std::string(tenant));
  manifest.content.labels.assign(proto.labels().begin(), proto.labels().end());
  for (const history::TableSum& table : proto.tables()) {
    manifest.content.tables.push_back({.number = table.number(), .sum = SumFromProto(table.sum())});
  }
  return manifest;
}

Uint128 ManifestCodec::Hash(const RecordHasher& hasher, std::string_view tenant,
                            std::string_view body) {
  return hasher.Hash(kManifestTable, tenant, body);
}

}  // namespace reinstate

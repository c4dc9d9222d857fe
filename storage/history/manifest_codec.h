#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/history/history.pb.h"
#include "storage/history/snapshot_info.h"
#include "storage/model/sum.h"

namespace reinstate {

history::Sum SumToProto(const Sum& sum);
Sum SumFromProto(const history::Sum& sum);

// The values of the family `manifests`, without their checksum.
class ManifestCodec {
 public:
  struct Manifest {
    bool exists = true;
    TenantManifest content;
  };

  static std::string Encode(const TenantManifest& manifest);
  static std::string EncodeGone();

  // CORRUPT if `body` is malformed.
  static absl::StatusOr<Manifest> Decode(std::string_view tenant, std::string_view body);

  // What the root's sum over manifests adds for this one.
  static Uint128 Hash(const RecordHasher& hasher, std::string_view tenant, std::string_view body);
};

}  // namespace reinstate

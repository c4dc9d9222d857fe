#pragma once

#include "storage/model/sum.h"
#include "storage/state/state.pb.h"

namespace reinstate {

inline state::Sum ToProto(const Sum& sum) {
  state::Sum proto;
  proto.set_rows(sum.rows);
  proto.set_bytes(sum.bytes);
  proto.set_hash(Uint128ToBytes(sum.hash));
  return proto;
}

}  // namespace reinstate

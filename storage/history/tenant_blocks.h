#pragma once

#include <rocksdb/flush_block_policy.h>

#include <memory>

namespace reinstate {

// Decides where the blocks of a table of records end: when they are full, and where a tenant ends,
// once they hold `least_bytes`. What is read with a tenant is then mostly its own; small tenants
// share blocks, as these compress better.
//
// @param least_bytes keys and values, before compression.
std::shared_ptr<rocksdb::FlushBlockPolicyFactory> EndBlocksWithTenants(size_t least_bytes);

}  // namespace reinstate

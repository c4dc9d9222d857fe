#include <memory>
#include <utility>

#include "storage/live/memory/memory_store.h"
#include "tests/conformance/adapter.h"

namespace reinstate {
namespace {

class MemoryUnderTest final : public StoreUnderTest {
 public:
  explicit MemoryUnderTest(MemoryStoreOptions options) : store_(std::move(options)) {}

  LiveStore* live() override { return &store_; }
  RecordStore* application() override { return &store_; }

 private:
  MemoryStore store_;
};

Adapter MemoryAdapterWith(std::string name, StoreCapabilities capabilities) {
  return {.name = std::move(name),
          .capabilities = capabilities,
          .open = [capabilities](
                      const StoreSetup& setup) -> absl::StatusOr<std::unique_ptr<StoreUnderTest>> {
            return std::make_unique<MemoryUnderTest>(
                MemoryStoreOptions{.resolves_tokens = capabilities.resolves_tokens,
                                   .keys_span_tenants = capabilities.keys_span_tenants,
                                   .clock = setup.clock,
                                   .faults = setup.faults});
          }};
}

}  // namespace

Adapter MemoryAdapter() {
  return MemoryAdapterWith("memory", {.resolves_tokens = true, .keys_span_tenants = false});
}

Adapter SpanningMemoryAdapter() {
  return MemoryAdapterWith("memory_spanning",
                           {.resolves_tokens = false, .keys_span_tenants = true});
}

}  // namespace reinstate

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/base/status_macros.h"
#include "storage/live/rocksdb/embedded_store.h"
#include "tests/conformance/adapter.h"

namespace reinstate {
namespace {

class EmbeddedUnderTest final : public StoreUnderTest {
 public:
  explicit EmbeddedUnderTest(std::unique_ptr<EmbeddedStore> store) : store_(std::move(store)) {}

  LiveStore* live() override { return store_.get(); }
  RecordStore* application() override { return store_.get(); }

 private:
  const std::unique_ptr<EmbeddedStore> store_;
};

Adapter EmbeddedAdapterWith(std::string name, size_t max_batch_bytes,
                            std::vector<std::string> crashes) {
  return {.name = std::move(name),
          .capabilities = {.resolves_tokens = true, .keys_span_tenants = false},
          .outlives_process = true,
          .crashes = std::move(crashes),
          .open = [max_batch_bytes](
                      const StoreSetup& setup) -> absl::StatusOr<std::unique_ptr<StoreUnderTest>> {
            EmbeddedStoreOptions options;
            options.path = setup.folder + "/store";
            options.max_batch_bytes = max_batch_bytes;
            options.block_cache_bytes = 4 << 20;
            options.write_buffer_bytes = 12 << 20;
            options.clock = setup.clock;
            options.faults = setup.faults;
            ASSIGN_OR_RETURN(std::unique_ptr<EmbeddedStore> store,
                             EmbeddedStore::Open(std::move(options)));
            return std::make_unique<EmbeddedUnderTest>(std::move(store));
          }};
}

}  // namespace

Adapter EmbeddedAdapter() {
  return EmbeddedAdapterWith(
      "rocksdb", 64 << 10,
      {"live.apply=crash@150", "live.seal=crash@2", "live.before_commit=crash@3",
       "live.commit_write=crash@2", "live.after_commit=crash@3"});
}

Adapter EmbeddedGenerationAdapter() {
  return EmbeddedAdapterWith(
      "rocksdb_generations", 0,
      {"live.new_generation=crash@2", "live.generation_batch=crash@3", "live.apply=crash@150",
       "live.seal=crash@2", "live.before_commit=crash@3", "live.commit_write=crash@2",
       "live.after_commit=crash@3", "live.remove_generation=crash",
       "live.remove_generation=crash@2"});
}

}  // namespace reinstate

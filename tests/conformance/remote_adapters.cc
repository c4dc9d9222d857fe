#include <memory>
#include <utility>

#include "storage/base/status_macros.h"
#include "storage/live/remote/remote_store.h"
#include "tests/conformance/adapter.h"
#include "tests/support/live_store_server.h"

namespace reinstate {
namespace {

// Another store under test, reached through a server and a connection of its own.
class RemoteUnderTest final : public StoreUnderTest {
 public:
  static absl::StatusOr<std::unique_ptr<StoreUnderTest>> Open(const Adapter& behind,
                                                              const StoreSetup& setup) {
    auto opened = std::make_unique<RemoteUnderTest>();
    ASSIGN_OR_RETURN(opened->store_, behind.open(setup));
    opened->server_ = std::make_unique<LiveStoreServer>(
        opened->store_->live(), LiveStoreServiceOptions{.clock = setup.clock});
    ASSIGN_OR_RETURN(opened->remote_,
                     RemoteStore::Create({.address = LoopbackAddress(opened->server_->port()),
                                          .store = "store",
                                          .clock = setup.clock}));
    return opened;
  }

  LiveStore* live() override { return remote_.get(); }
  RecordStore* application() override { return store_->application(); }

 private:
  std::unique_ptr<StoreUnderTest> store_;
  std::unique_ptr<LiveStoreServer> server_;
  std::unique_ptr<RemoteStore> remote_;
};

Adapter Remote(const Adapter& behind) {
  Adapter adapter = behind;
  adapter.name = "remote_" + behind.name;
  adapter.open = [behind](const StoreSetup& setup) { return RemoteUnderTest::Open(behind, setup); };
  return adapter;
}

}  // namespace

std::vector<Adapter> AllAdapters() {
  return {Remote(MemoryAdapter()), Remote(SpanningMemoryAdapter()), Remote(EmbeddedAdapter()),
          Remote(EmbeddedGenerationAdapter())};
}

}  // namespace reinstate

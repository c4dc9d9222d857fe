#include "server/config/daemon_config.h"

#include <gtest/gtest.h>

#include "storage/base/error.h"

namespace reinstate {
namespace {

TEST(DaemonConfig, ServesTheEmbeddedStoreMainWithoutAnyStore) {
  DaemonConfig config;
  config.data = "/srv/x";
  ASSERT_TRUE(Complete(&config).ok());
  ASSERT_EQ(config.stores.size(), 1);
  EXPECT_EQ(config.stores[0].name, "main");
  EXPECT_EQ(config.stores[0].adapter, "embedded");
  EXPECT_EQ(config.stores[0].path, "/srv/x/stores/main");
}

TEST(DaemonConfig, RunsAsManyRestoresAtOnceAsThereAreProcessorsUnlessItIsTold) {
  DaemonConfig config;
  ASSERT_TRUE(Complete(&config).ok());
  EXPECT_EQ(config.restore_workers, DefaultRestoreWorkers());
  EXPECT_GE(config.restore_workers, 2);
  EXPECT_LE(config.restore_workers, 4);
  config.restore_workers = 9;
  ASSERT_TRUE(Complete(&config).ok());
  EXPECT_EQ(config.restore_workers, 9);
}

TEST(DaemonConfig, RefusesToListenToOthersWithoutTls) {
  for (const char* address : {"0.0.0.0:7420", "[::]:7420", "10.1.2.3:7420", "db.example:7420"}) {
    DaemonConfig config;
    config.data = "/srv/x";
    config.listen = {"127.0.0.1:7420", address};
    EXPECT_TRUE(HasReason(Complete(&config), Reason::kConfigInvalid)) << address;
    config.insecure = true;
    EXPECT_TRUE(Complete(&config).ok()) << address;
    config.insecure = false;
    config.tls.certificate = "cert.pem";
    EXPECT_TRUE(Complete(&config).ok()) << address;
  }
}

TEST(DaemonConfig, RefusesARemoteStoreElsewhereWithoutTls) {
  DaemonConfig config;
  config.data = "/srv/x";
  StoreConfig& store = config.stores.emplace_back();
  store.name = "crm";
  store.adapter = "remote";
  store.address = "10.1.2.3:7421";
  EXPECT_TRUE(HasReason(Complete(&config), Reason::kConfigInvalid));
  store.ca = "ca.pem";
  ASSERT_TRUE(Complete(&config).ok());
  EXPECT_EQ(store.remote_name, "crm");
  store.ca = "";
  store.address = "127.0.0.1:7421";
  EXPECT_TRUE(Complete(&config).ok());
}

TEST(DaemonConfig, RefusesToShowMetricsToOthersUnlessThatIsMeant) {
  DaemonConfig config;
  config.data = "/srv/x";
  config.metrics.listen = "127.0.0.1:9464";
  EXPECT_TRUE(Complete(&config).ok());
  config.metrics.listen = "0.0.0.0:9464";
  // What is said of the calls is not said of the metrics.
  config.insecure = true;
  EXPECT_TRUE(HasReason(Complete(&config), Reason::kConfigInvalid));
  config.metrics.insecure = true;
  EXPECT_TRUE(Complete(&config).ok());
}

TEST(DaemonConfig, KnowsLocalAddresses) {
  EXPECT_TRUE(IsLocalAddress("127.0.0.1:1"));
  EXPECT_TRUE(IsLocalAddress("localhost:1"));
  EXPECT_TRUE(IsLocalAddress("[::1]:1"));
  EXPECT_TRUE(IsLocalAddress("unix:/run/x"));
  EXPECT_FALSE(IsLocalAddress("localhost.example:1"));
  EXPECT_FALSE(IsLocalAddress("[::]:1"));
  EXPECT_FALSE(IsLocalAddress("1127.0.0.1:1"));
}

}  // namespace
}  // namespace reinstate

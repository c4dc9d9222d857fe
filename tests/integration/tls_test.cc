// Mutual TLS: between clients and the daemon, and between the daemon and a store elsewhere.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/live/remote/remote_store.h"
#include "tests/integration/daemon_fixture.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class TlsTest : public DaemonTest {
 protected:
  void SetUp() override {
    // An authority, a daemon and a client.
    const std::string make = absl::StrCat(
        "cd '", folder_.path(), "' && ",
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca "
        "-addext basicConstraints=critical,CA:TRUE && "
        "for name in daemon sam; do "
        "openssl req -newkey rsa:2048 -nodes -keyout $name.key -out $name.csr "
        "-subj /O=example/CN=$name && "
        "printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' > $name.ext && "
        "openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
        "-extfile $name.ext -out $name.pem || exit 1; done && "
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout other-ca.key -out other-ca.pem -days 2 "
        "-subj /CN=ca -addext basicConstraints=critical,CA:TRUE");
    ASSERT_EQ(std::system(absl::StrCat("( ", make, " ) >/dev/null 2>&1").c_str()), 0);
    std::ofstream(Path("tls.toml"))
        << "[tls]\ncertificate = \"" << Path("daemon.pem") << "\"\nkey = \"" << Path("daemon.key")
        << "\"\nclient_ca = \"" << Path("ca.pem") << "\"\n";
  }

  void StartWithTls() {
    auto started = DaemonProcess::Start(
        {.data_path = Path("data"), .arguments = {"--config", Path("tls.toml")}});
    ASSERT_THAT(started, IsOk());
    daemon_ = *std::move(started);
  }

  absl::StatusOr<std::unique_ptr<ReinstateClient>> Connect(bool with_certificate) {
    ClientOptions options;
    options.address = daemon_->address();
    options.actor = "mallory";
    options.timeout = absl::Seconds(10);
    options.tls.ca = Path("ca.pem");
    if (with_certificate) {
      options.tls.certificate = Path("sam.pem");
      options.tls.key = Path("sam.key");
    }
    return ReinstateClient::Connect(options);
  }
};

TEST_F(TlsTest, TheActorIsTheSubjectOfTheCertificateWhateverTheClientSays) {
  StartWithTls();
  auto client = Connect(true);
  ASSERT_THAT(client, IsOk());
  client_ = *std::move(client);
  Put("acme", "1", "one");
  const absl::StatusOr<v1::Job> job = TakeSnapshot();
  ASSERT_THAT(job, IsOk());
  EXPECT_THAT(job->actor().name(), HasSubstr("sam"));
  EXPECT_THAT(job->actor().name(), HasSubstr("example"));
  EXPECT_TRUE(job->actor().verified());

  const auto stranger = Connect(false);
  EXPECT_FALSE(stranger.ok() && (*stranger)->ListStores().ok());
}

TEST_F(TlsTest, ACertificateThatCannotBeUsedIsRefused) {
  std::ofstream(Path("daemon.pem")) << "no certificate";
  EXPECT_THAT(Refusal("data", {"--config", Path("tls.toml")}), HasSubstr("code 1"));
  std::filesystem::remove(Path("daemon.pem"));
  EXPECT_THAT(Refusal("data", {"--config", Path("tls.toml")}),
              AllOf(HasSubstr("code 1"), HasSubstr("daemon.pem")));
}

// The daemon's embedded store, as another daemon reads it.
class RemoteTlsTest : public TlsTest {
 protected:
  absl::StatusOr<StoreIdentity> IdentityWith(const std::string& ca, const std::string& name) {
    RemoteStoreOptions options;
    options.address = daemon_->address();
    options.ca_file = ca.empty() ? "" : Path(ca);
    options.certificate_file = name.empty() ? "" : Path(name + ".pem");
    options.key_file = name.empty() ? "" : Path(name + ".key");
    options.call_timeout = absl::Seconds(5);
    auto store = RemoteStore::Create(options);
    EXPECT_THAT(store, IsOk());
    return (*store)->Identity();
  }
};

TEST_F(RemoteTlsTest, AStoreIsReadOnlyByWhomItKnowsAndWhoKnowsIt) {
  StartWithTls();
  EXPECT_THAT(IdentityWith("ca.pem", "sam"), IsOk());
  EXPECT_THAT(IdentityWith("other-ca.pem", "sam"), FailsWith(Reason::kUnavailable))
      << "a server of another authority";
  EXPECT_THAT(IdentityWith("ca.pem", ""), FailsWith(Reason::kUnavailable)) << "no certificate";
  EXPECT_THAT(IdentityWith("", ""), FailsWith(Reason::kUnavailable)) << "nothing encrypted";
}

TEST_F(RemoteTlsTest, ADaemonSnapshotsAStoreOfAnotherOneAndNotThatOfAStranger) {
  StartWithTls();
  const std::unique_ptr<DaemonProcess> owner = std::move(daemon_);
  for (const char* ca : {"ca.pem", "other-ca.pem"}) {
    const std::string config = Path(absl::StrCat("with-", ca, ".toml"));
    std::ofstream(config) << "[[store]]\nname = \"main\"\nadapter = \"remote\"\naddress = \""
                          << owner->address() << "\"\nca = \"" << Path(ca) << "\"\ncertificate = \""
                          << Path("sam.pem") << "\"\nkey = \"" << Path("sam.key") << "\"\n";
    auto reader = DaemonProcess::Start(
        {.data_path = Path(absl::StrCat("data-", ca)), .arguments = {"--config", config}});
    ASSERT_THAT(reader, IsOk());
    daemon_ = *std::move(reader);
    ClientOptions options;
    options.address = daemon_->address();
    client_ = *ReinstateClient::Connect(options);
    if (ca == std::string("ca.pem")) {
      MustTakeSnapshot();
    } else {
      EXPECT_EQ(ShowStore().state(), v1::STORE_STATE_UNREACHABLE);
      EXPECT_THAT(TakeSnapshot(), FailsWith(Reason::kUnavailable));
    }
  }
}

}  // namespace
}  // namespace reinstate
